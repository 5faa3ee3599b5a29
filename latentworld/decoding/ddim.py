"""DDIM along a schedule of noise in torch alone: the numbers of diffusers' DDIMScheduler with eta = 0, to the bit.

Importing diffusers takes 4 seconds of a processor, more than all that a cached engine needs for a picture. A config
that asks for more (`OWN`) is left to that library, which is the twin that a test holds this one to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

# of a config: what is taken where it is silent, as DDIMScheduler does
OWN: Mapping[str, Any] = {
    "num_train_timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear",
    "trained_betas": None, "clip_sample": True, "set_alpha_to_one": True, "steps_offset": 0,
    "prediction_type": "epsilon", "thresholding": False, "dynamic_thresholding_ratio": 0.995, "clip_sample_range": 1.0,
    "sample_max_value": 1.0, "timestep_spacing": "leading", "rescale_betas_zero_snr": False,
}  # fmt: skip
PREDICTIONS = ("epsilon", "sample", "v_prediction")


class Ddim:
    """A `Scheduler`. Song et al. 2021, eq. 12: along the direction to x_t, no noise. Betas as Ho et al. 2020 have them;
    rescaled to end in pure noise as Lin et al. 2024, algorithm 1."""

    step_index = 0
    init_noise_sigma = 1.0

    @staticmethod
    def takes(config: Mapping[str, Any]) -> bool:
        """Whether a config asks for nothing else than this does."""
        said = {**OWN, **config}
        return (
            said["beta_schedule"] in ("linear", "scaled_linear")
            and said["trained_betas"] is None
            and said["prediction_type"] in PREDICTIONS
            and said["timestep_spacing"] in ("leading", "trailing", "linspace")
            and not (said["thresholding"] or said["clip_sample"])
            and "_use_default_values" not in config
            and all(isinstance(said[key], int | float) for key in ("num_train_timesteps", "beta_start", "beta_end"))
        )

    def __init__(self, config: Mapping[str, Any]) -> None:
        """config: one that it `takes`."""
        import torch

        self.config: Mapping[str, Any] = {**OWN, **config}
        said = self.config
        self._count = count = int(said["num_train_timesteps"])
        first, last = float(said["beta_start"]), float(said["beta_end"])
        if said["beta_schedule"] == "linear":
            betas = torch.linspace(first, last, count, dtype=torch.float32)
        else:
            betas = torch.linspace(first**0.5, last**0.5, count, dtype=torch.float32) ** 2
        if said["rescale_betas_zero_snr"]:
            betas = _to_noise(betas)
        self.alphas_cumprod: Tensor = torch.cumprod(1.0 - betas, dim=0)
        self._final = torch.tensor(1.0) if said["set_alpha_to_one"] else self.alphas_cumprod[0]
        self._steps = 0
        self.timesteps: Tensor = torch.from_numpy(np.arange(0, self._count)[::-1].copy().astype(np.int64))

    def set_timesteps(self, num_inference_steps: int | None = None, **options: object) -> None:
        """Begin so many steps, spaced as the config says (Lin et al. 2024, table 2). Raises ValueError for more than
        there are times."""
        import torch

        steps = num_inference_steps or 0
        if not 0 < steps <= self._count:
            raise ValueError(f"{steps} steps of {self._count} times of training")
        spacing = self.config["timestep_spacing"]
        if spacing == "linspace":
            times = np.linspace(0, self._count - 1, steps).round()[::-1].copy().astype(np.int64)
        elif spacing == "leading":
            times = (np.arange(0, steps) * (self._count // steps)).round()[::-1].copy().astype(np.int64)
            times += self.config["steps_offset"]
        else:
            times = np.round(np.arange(self._count, 0, -self._count / steps)).astype(np.int64) - 1
        self._steps, self.timesteps = steps, torch.from_numpy(times)

    def set_begin_index(self, begin_index: int = 0) -> None:
        """Nothing: its steps go by time alone."""

    def scale_model_input(self, sample: Tensor, timestep: Tensor) -> Tensor:
        """The sample."""
        return sample

    def step(self, model_output: Tensor, timestep: Tensor, sample: Tensor, **options: object) -> tuple[Tensor, Tensor]:
        """The next sample, and the clean one that is predicted here."""
        below = timestep - self._count // self._steps
        alpha = self.alphas_cumprod[timestep]
        after = self.alphas_cumprod[below] if below >= 0 else self._final
        clean, noise = self._parts(model_output, sample, alpha)
        return after**0.5 * clean + (1 - after) ** 0.5 * noise, clean

    def _parts(self, said: Tensor, sample: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        """The clean sample and the noise in it, of what a network says."""
        beta, kind = 1 - alpha, self.config["prediction_type"]
        if kind == "epsilon":
            return (sample - beta**0.5 * said) / alpha**0.5, said
        if kind == "sample":
            return said, (sample - alpha**0.5 * said) / beta**0.5
        return alpha**0.5 * sample - beta**0.5 * said, alpha**0.5 * said + beta**0.5 * sample


def _to_noise(betas: Tensor) -> Tensor:
    """Betas under which the last time is pure noise."""
    import torch

    root = torch.cumprod(1.0 - betas, dim=0).sqrt()
    first, last = root[0].clone(), root[-1].clone()
    root -= last
    root *= first / (first - last)
    share = root**2
    return 1 - torch.cat([share[0:1], share[1:] / share[:-1]])
