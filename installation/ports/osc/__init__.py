"""OSC: a port that hears and tells, its address space by OSCQuery, layouts for tablets."""

from installation.ports.osc.server import Server

__all__ = ["Server"]
