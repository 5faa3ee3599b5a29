"""Shapes and number types of arrays, said once and checked at run time in tests.

An alias says what an array holds and, in jaxtyping's words, which axes it has: `n` is one length throughout a signature
(or the fields of one dataclass), a number is that length, `_h` any length, `...` any axes. To a type checker an alias
is the numpy array with its number type. Nothing is checked at run time but in tests, where an import hook wraps rooms
of the core (`--jaxtyping-packages` in pyproject.toml): docs/decisions/0017-shapes-in-types.md.

Angles are radians, units unit vectors in R3, radii factors of the shell, pictures RGB.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING or "jaxtyping" in sys.modules:  # as it is where a checker's hook was put in before the core
    from jaxtyping import Bool as Bool
    from jaxtyping import Float, UInt8
    from jaxtyping import Float64 as Float64
    from jaxtyping import Int64 as Int64
else:  # nobody reads the axes: 59 of the 560 ms in which `latentworld presets` ends are jaxtyping's

    class _Bare:
        """What an array holds, without its axes."""

        def __class_getitem__(cls, said: tuple[Any, str]) -> Any:
            return said[0]

    Bool = Float = Float64 = Int64 = UInt8 = _Bare

if TYPE_CHECKING:
    from torch import Tensor

    _RealsOrOne = NDArray[np.float64]
    _FlagsOrOne = NDArray[np.bool_]
else:
    Tensor = Any  # importing the core loads no torch; shape and number type are checked of whatever has them
    _RealsOrOne = np.ndarray | np.float64  # what numpy's arithmetic makes of arrays without axes
    _FlagsOrOne = np.ndarray | np.bool_

Reals = NDArray[np.float64]
Wholes = NDArray[np.int64]
"""For shapes that have no name here: `Float64[Reals, "m 4"]`, `Int64[Wholes, "m 3"]`."""

Array = Float64[_RealsOrOne, "..."]
"""float64 of any shape, where the docstring says which; one number alone may be numpy's scalar."""
Vector = Float64[Reals, " n"]
"""A number each: times, arc lengths, angles, rates."""
Unit = Float64[Reals, "3"]
"""One place or heading."""
Units = Float64[Reals, "n 3"]
"""Places, headings, or points in R3."""
Directions = Float64[Reals, "... 3"]
"""Places or headings, on any leading axes."""
Radii = Float64[Reals, " n"]
"""A factor of the shell each, 1 on it."""
Vertices = Float64[Reals, "3 c h w"]
"""The three latents z0, z1, z2."""

Integers = Int64[Wholes, "..."]
"""int64 of any shape."""
Indices = Int64[Wholes, " n"]
"""A whole number each: frames, labels, levels."""
Pairs = Int64[Wholes, "n 2"]
"""Two whole numbers each: row and column on a lattice, both ends of an edge."""
Triangles = Int64[Wholes, "t 3"]
"""Three places each."""
Flags = Bool[NDArray[np.bool_], " n"]
"""Yes or no each."""
Mask = Bool[_FlagsOrOne, "..."]
"""Yes or no on any axes."""

Features = Float[NDArray[np.floating], "n f"]
"""What was seen at places: float32 where an eye made it of pictures, float64 where a formula did."""
Picture = UInt8[NDArray[np.uint8], "_h _w 3"]
"""One picture, 0..255."""
Rgba = UInt8[NDArray[np.uint8], "_h _w 4"]
"""One picture with its alpha, 0..255: clear where that is 0."""
Pictures = UInt8[NDArray[np.uint8], "n _h _w 3"]
"""Pictures of one size, 0..255."""

LatentTensor = Float[Tensor, "n c h w"]
"""Latents in torch, channels first."""
PictureTensor = Float[Tensor, "n 3 _h _w"]
"""Pictures in torch, channels first, 0..1."""
FeatureTensor = Float[Tensor, "n f"]
"""Features in torch."""
