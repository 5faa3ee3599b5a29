"""Walks: continuous paths over the globe, run by latent arc length.

Each is a frozen state: `ahead` looks, `advance` goes. `build(spec, plane)` makes one, `step` places a tick's frames.
Fixed walks follow a known curve (orbit, waypoints, lissajous, swath, spiral); free ones have a heading (rift, wander).
"""

from latentworld.walks.build import build
from latentworld.walks.compass import heading, place
from latentworld.walks.fixed import Fixed
from latentworld.walks.free import Free
from latentworld.walks.joined import Joined, bearing, departed, joined, recentred
from latentworld.walks.keep import keep, restore, roaming
from latentworld.walks.lifted import Lifted
from latentworld.walks.specs import Lissajous, Orbit, Point, Rift, Spiral, Swath, WalkSpec, Wander, Waypoints
from latentworld.walks.walk import FreeWalk, Steering, Tick, Walk, step

__all__ = [
    "Fixed",
    "Free",
    "FreeWalk",
    "Joined",
    "Lifted",
    "Lissajous",
    "Orbit",
    "Point",
    "Rift",
    "Spiral",
    "Steering",
    "Swath",
    "Tick",
    "Walk",
    "WalkSpec",
    "Wander",
    "Waypoints",
    "bearing",
    "build",
    "departed",
    "heading",
    "joined",
    "keep",
    "place",
    "recentred",
    "restore",
    "roaming",
    "step",
]
