"""MIDI controllers: what they move is learned, kept in a file, and shown back to their faders and lamps."""

from installation.ports.midi.port import Port

__all__ = ["Port"]
