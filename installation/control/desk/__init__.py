"""The state of everything that can be played: what was set, by whom and when, and what is sent of it."""

from installation.control.desk.desk import Change, Desk, Trigger

__all__ = ["Change", "Desk", "Trigger"]
