"""Small surveys for tests: of any function of the place, or of an analytic world."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.atlas.survey import in_memory
from latentworld.atlas.types import Atlas, Render, Rendered
from latentworld.decoding.analytic import AnalyticDecoder, AnalyticEye
from latentworld.plane import Plane

PLANE = Plane(np.random.default_rng(1).normal(size=(3, 4, 8, 8)))
RAW = Plane(PLANE.vertices, "raw")  # whose window is flat: linear features have one gradient everywhere


def shown(features: Callable[[np.ndarray], np.ndarray], plane: Plane = PLANE) -> Render:
    """A render whose features are a function of the points [n, 3]; they stay float64, to measure errors below 1e-7."""

    def render(units: np.ndarray, radii: np.ndarray) -> Rendered:
        return Rendered(features(plane.points(units, radii)), np.zeros((len(units), 1, 1, 3), np.uint8))

    return render


def looked(decoder: AnalyticDecoder, latents: Callable[[np.ndarray], torch.Tensor] | None = None) -> Render:
    """A render of an analytic world, from float32 latents or those of `latents`."""

    def render(units: np.ndarray, radii: np.ndarray) -> Rendered:
        pictures = decoder(decoder.plane.latents(units, radii) if latents is None else latents(units))
        thumbs = (pictures.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
        return Rendered(AnalyticEye()(pictures).numpy(), thumbs)

    return render


def latents64(units: np.ndarray) -> torch.Tensor:
    """Latents without the cast to float32."""
    flat = np.linalg.solve(PLANE.corners, PLANE.vertices.reshape(3, -1))
    return torch.from_numpy((PLANE.points(units) @ flat).reshape(-1, *PLANE.shape))


def survey(sampling: Window | Adaptive | Globe, render: Render, plane: Plane = PLANE) -> Atlas:
    return in_memory(sampling, plane, render)


def part(atlas: Atlas, keep: np.ndarray) -> Atlas:
    """An unfinished survey: the places of `keep` alone."""
    kept = (atlas.unit[keep], atlas.features[keep], atlas.thumbs[keep], atlas.lattice[keep], atlas.level[keep])
    return Atlas(atlas.plane, atlas.sampling, *kept, radius=atlas.radius, complete=False)
