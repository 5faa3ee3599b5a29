"""Worlds: find them, look into them, load them. Importing this package imports neither torch nor diffusers.

from latentworld import worlds
worlds.listing()                        # what can be walked on this machine
worlds.inspect("embedded").parameters   # from file headers alone
world = worlds.load("embedded")
"""

from latentworld.worlds.card import Card, Defaults
from latentworld.worlds.families import Family, LatentFormat
from latentworld.worlds.find import Found, resolve
from latentworld.worlds.hub import fetch
from latentworld.worlds.load import load
from latentworld.worlds.locate import EMBEDDED, HubRef, locate
from latentworld.worlds.look import Refused, Summary, inspect, listing, survey
from latentworld.worlds.world import Student, World

__all__ = [
    "EMBEDDED",
    "Card",
    "Defaults",
    "Family",
    "Found",
    "HubRef",
    "LatentFormat",
    "Refused",
    "Student",
    "Summary",
    "World",
    "fetch",
    "inspect",
    "listing",
    "load",
    "locate",
    "resolve",
    "survey",
]
