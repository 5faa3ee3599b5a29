"""Worlds: find them, look into them, load them. Importing this package imports neither torch nor diffusers.

from latentworld import worlds
worlds.listing()                        # what can be walked on this machine
worlds.inspect("embedded").parameters   # from file headers alone
world = worlds.load("embedded")
"""

from latentworld.worlds.card import Card, Defaults
from latentworld.worlds.load import Student, World, load
from latentworld.worlds.locate import EMBEDDED, HubRef, fetch, locate, resolve
from latentworld.worlds.look import Summary, inspect, listing

__all__ = [
    "EMBEDDED",
    "Card",
    "Defaults",
    "HubRef",
    "Student",
    "Summary",
    "World",
    "fetch",
    "inspect",
    "listing",
    "load",
    "locate",
    "resolve",
]
