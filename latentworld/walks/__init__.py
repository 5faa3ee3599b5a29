"""Walks: continuous paths over the globe, run by latent arc length.

Each is a frozen state: `ahead` looks, `advance` goes. `build(spec, plane)` makes one, `step` places a tick's frames.
Fixed walks follow a known curve (orbit, waypoints, lissajous, swath, spiral); free ones have a heading (rift, wander).
A kind of walk is one file: its spec, its curve or wind, its label. `kinds()` names those there are (docs/extending.md).
"""

from latentworld.walks.breath import Breath
from latentworld.walks.catalogue import BUILT_IN, DEFAULT, WalkSpec, build, kinds, plain, spec_of, specs
from latentworld.walks.compass import heading, place
from latentworld.walks.curves import Arcs, Curve, biarcs
from latentworld.walks.fixed import Fixed, fixed, relative
from latentworld.walks.free import Free, Wind, free
from latentworld.walks.joined import Joined, bearing, departed, joined, recentred
from latentworld.walks.keep import keep, restore, roaming
from latentworld.walks.lifted import Lifted
from latentworld.walks.lissajous import Lissajous
from latentworld.walks.orbit import Orbit
from latentworld.walks.rift import Rift
from latentworld.walks.spec import Degrees, FixedSpec, FreeSpec, Pair, Place, Radius, Spec
from latentworld.walks.spiral import Spiral
from latentworld.walks.swath import Swath
from latentworld.walks.walk import FreeWalk, Steering, Tick, Walk, step
from latentworld.walks.wander import Wander
from latentworld.walks.waypoints import Waypoints

__all__ = [
    "BUILT_IN",
    "DEFAULT",
    "Arcs",
    "Breath",
    "Curve",
    "Degrees",
    "Fixed",
    "FixedSpec",
    "Free",
    "FreeSpec",
    "FreeWalk",
    "Joined",
    "Lifted",
    "Lissajous",
    "Orbit",
    "Pair",
    "Place",
    "Radius",
    "Rift",
    "Spec",
    "Spiral",
    "Steering",
    "Swath",
    "Tick",
    "Walk",
    "WalkSpec",
    "Wander",
    "Waypoints",
    "Wind",
    "bearing",
    "biarcs",
    "build",
    "departed",
    "fixed",
    "free",
    "heading",
    "joined",
    "keep",
    "kinds",
    "place",
    "plain",
    "recentred",
    "relative",
    "restore",
    "roaming",
    "spec_of",
    "specs",
    "step",
]
