"""The deck: the show as a page, for phones, tablets and laptops. See docs/deck.md."""

from installation.ports.deck.server import Server

__all__ = ["Server"]
