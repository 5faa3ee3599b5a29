"""The arrays of an atlas on disk, as other programs find them (docs/atlas-format.md is their page)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Variable:
    """An array of the store. absent: stands where nothing is written yet. title, description: what it says of itself,
    as the attributes `long_name` and `description`. inner: dimensions, behind "place" where it has one."""

    dtype: str
    absent: float
    title: str
    description: str
    inner: tuple[str, ...] = ()
    placed: bool = True

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The names of its dimensions."""
        return ("place", *self.inner) if self.placed else self.inner


WHERE = {
    "alpha": Variable("float64", np.nan, "α", "along z1 - z0 on the plane of the vertices"),
    "beta": Variable("float64", np.nan, "β", "along z2 - z0 on the plane of the vertices"),
    "front": Variable("bool", False, "side of the globe", "false: the antipode of (alpha, beta), which no chart shows"),
    "unit": Variable("float64", np.nan, "direction", "unit vector in the orthonormal basis of the vertices", ("axis",)),
    "lattice": Variable(
        "int64", -1, "node", "row (alpha) and column (beta) of the finest grid; on the globe HEALPix pixel and 0",
        ("index",),
    ),
    "level": Variable("int64", -1, "level of refinement", "0: the coarsest grid; each level halves it; -1: no place"),
}  # fmt: skip
"""Where the places are, written when a generation begins: the coordinates of all else."""

SEEN = {
    "features": Variable("float32", np.nan, "features", "what the eye makes of the picture", ("feature",)),
    "thumbs": Variable("uint8", 0, "thumbnail", "sRGB, 0 to 255", ("height", "width", "channel")),
    "done": Variable("uint8", 0, "done", "1: features and thumbs are there; 0: not decoded yet, or no place"),
}
"""What was seen there, one chunk of each a block."""

DERIVED = {
    "rate": Variable("float32", np.nan, "Lipschitz rate", "feature distance over latent distance about the place"),
    "label": Variable("int16", -1, "phase", "index into the attribute `names` of the group; -1: none"),
    "confidence": Variable("float32", np.nan, "confidence of the phase", "0 to 1"),
    "metric": Variable(
        "float64", np.nan, "metric by log Z", "Hessian of log Z in alpha and beta: g11, g12, g22, in squared feature "
        "distance", ("entry",),
    ),
    "pullback": Variable(
        "float64", np.nan, "pull-back metric", "J^T J of the features: g11, g12, g22 in alpha and beta; on the globe "
        "in radians east and north", ("entry",),
    ),
    "surprise": Variable("float64", np.nan, "surprise", "mean squared error of a few fixed denoisings of the latent"),
}  # fmt: skip
"""What follows from it, rewritten whole."""

_LATENT = ("vertex", "latent_channel", "latent_height", "latent_width")
VARIABLES = WHERE | SEEN | DERIVED
VARIABLES["vertices"] = Variable("float64", 0.0, "vertices", "z0, z1, z2: they span the plane", _LATENT, placed=False)
VARIABLES["logz"] = Variable(
    "float64", np.nan, "log Z", "tau log sum exp((a1 x + a2 y + b) / tau) over the atoms' rows (a1, a2, b), x and y "
    "the place in the window, 0 to 1", ("atom", "number"), placed=False,
)  # fmt: skip


def attributes(name: str) -> dict[str, str]:
    """What an array says of itself, by CF's names: units are "1", plain numbers all of them."""
    told = {"long_name": VARIABLES[name].title, "units": "1", "description": VARIABLES[name].description}
    return told | ({"coordinates": " ".join(WHERE)} if name in SEEN | DERIVED else {})
