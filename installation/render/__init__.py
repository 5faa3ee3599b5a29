"""The renderer: the process of a show that runs the loop. `python -m installation.render --ring NAME --preset FILE`."""
