"""How the show is: a bounded log, metrics, a watchdog fed by pictures alone, and what systemd is told."""
