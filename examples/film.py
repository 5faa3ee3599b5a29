"""A film by the library, in ten lines:  python examples/film.py out/four-seconds"""

import sys

from installation.film import make
from latentworld import preset

journey = preset.load("first-light", ["film.seconds=4", "pilot.mode=cross", "prompt.positive=a ringed planet"])
film = make.film(journey, sys.argv[1], overwrite=True)
print(film.video, film.summary.median_clip_step, "a frame,", film.summary.rifts, "rifts")
