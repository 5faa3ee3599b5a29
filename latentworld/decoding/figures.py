"""What the analytic world looks like: each mode a coloured figure, blended where the mixture hesitates."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentworld.arrays import Array

Picture = NDArray[np.float32]

BLEND = 0.35  # world units: how far from a mode its figure still shows; modes lie 0.5 to 2 apart
EDGE = 0.03  # softness of an outline, in halves of the picture's shorter side


@dataclass(frozen=True)
class Figures:
    """One figure a mode: a field [k, h, w] (positive inside), and body and ground colours [k, 3]."""

    modes: Array
    sigma: float
    fields: Picture
    body: Array
    ground: Array
    x: Picture
    y: Picture

    @staticmethod
    def seeded(modes: Array, sigma: float, size: tuple[int, int], seed: int) -> Figures:
        """Rosettes with 3 to 9 petals, hues by the golden ratio, grounds dark and complementary."""
        random = np.random.default_rng(seed)
        height, width = size
        short = min(height, width)
        y, x = np.mgrid[:height, :width].astype(np.float32)
        x, y = (2 * x - width + 1) / short, (2 * y - height + 1) / short
        rho, theta = np.hypot(x, y), np.arctan2(y, x)
        fields, body, ground = [], [], []
        first = random.uniform()
        for index in range(len(modes)):
            petals, depth, turn = 3 + (index * 4 + seed) % 7, random.uniform(0.12, 0.4), random.uniform(0, 2 * np.pi)
            outline = random.uniform(0.5, 0.65) * (1 + depth * np.cos(petals * theta + turn))
            hollow = random.uniform(0.08, 0.22)
            fields.append(np.minimum(outline - rho, rho - hollow))
            hue = (first + index * 0.61803399) % 1.0
            body.append(colorsys.hsv_to_rgb(hue, 0.62, 0.98))
            ground.append(colorsys.hsv_to_rgb((hue + 0.5 + random.uniform(-0.1, 0.1)) % 1.0, 0.75, 0.24))
        stack = np.stack(fields).astype(np.float32)
        return Figures(modes, sigma, stack, np.array(body), np.array(ground), x, y)

    def draw(self, x0: Array) -> Picture:
        """Data x_0 [n, 3] to pictures [n, 3, h, w] in 0..1, continuous in x_0; elementwise, so free of batch-mates."""
        offset = x0[:, None] - self.modes
        logits = -(offset**2).sum(axis=2) / (2 * BLEND**2)
        weight = np.exp(logits - logits.max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)

        def blend(values: Array) -> Array:
            return np.asarray((weight[:, :, None] * values).sum(axis=1))

        small = weight.astype(np.float32)
        field = np.zeros((len(x0), *self.x.shape), np.float32)
        for index, figure in enumerate(self.fields):
            field += small[:, index, None, None] * figure
        inside = 0.5 + 0.5 * np.tanh(field / EDGE)
        tilt = blend(offset)[:, :, None, None].astype(np.float32) / (3 * self.sigma)  # where in the mode: the light
        light = 0.8 + 0.2 * np.tanh(tilt[:, 0] * self.x + tilt[:, 1] * self.y)
        lines = 0.88 + 0.12 * np.cos(44 * field + 2 * tilt[:, 2])
        falloff = 1 / (1 + 0.6 * (self.x**2 + self.y**2))
        body, ground = (blend(c)[:, :, None, None].astype(np.float32) for c in (self.body, self.ground))
        glow = 0.5 * np.exp(-np.abs(field) / 0.12) * (1 - inside)
        lit = body * (light * lines * (0.75 + 0.25 * np.tanh(field / 0.25)))[:, None]
        dark = ground * (falloff * (1.4 - 0.4 * lines))[:, None] + body * glow[:, None]
        return np.asarray(np.clip(dark + (lit - dark) * inside[:, None], 0, 1), dtype=np.float32)
