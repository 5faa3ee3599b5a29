"""The contract every decoder keeps: latents and a prompt in, pictures out, the same bytes for the same position.

::

    decoder.profile            what the bytes depend on, besides latents and prompt
    decoder.shape              latent C, H, W
    decoder.size               picture height, width
    decoder(latents, prompt)   float32 [n, C, H, W] on the CPU -> float32 [n, 3, height, width] in 0..1 on the CPU
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from latentworld.errors import Cancelled, PresetError
from latentworld.prompts import Prompt

if TYPE_CHECKING:
    from torch import Tensor

Watch = Callable[[int, int], bool]
"""Called with (done, total) after every UNet step of a call; returning False cancels the call (Cancelled)."""


@dataclass(frozen=True)
class Profile:
    """Everything a picture's bytes depend on besides its latent and its prompt.

    `threads` is the number of CPU threads (0 on other devices): sums are split among them, so it is part of the bytes.
    """

    decoder: str
    world: str
    device: str
    dtype: str
    batch: int
    steps: int
    guidance: float
    engine: str
    torch: str
    threads: int = 0

    @property
    def hash(self) -> str:
        """16 hexadecimal digits, written with every frame."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Decoder(Protocol):
    """Latents to pictures, in padded batches of `profile.batch`: a picture never depends on its batch-mates."""

    @property
    def profile(self) -> Profile: ...
    @property
    def shape(self) -> tuple[int, int, int]: ...
    @property
    def size(self) -> tuple[int, int]: ...
    def __call__(self, latents: Tensor, prompt: Prompt, watch: Watch | None = None) -> Tensor:
        """float32 `[n, C, H, W]` on the CPU, any n >= 0, to float32 `[n, 3, height, width]` in 0..1 on the CPU."""
        ...


class Around:
    """What a decoder around another one shares with it; how it decodes is its own."""

    decoder: Decoder

    @property
    def profile(self) -> Profile:
        return self.decoder.profile

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.decoder.shape

    @property
    def size(self) -> tuple[int, int]:
        return self.decoder.size


@dataclass
class Progress:
    """Counts the UNet steps of one call and asks the watcher whether to go on."""

    watch: Watch | None
    total: int
    done: int = 0

    def step(self) -> None:
        """One UNet step more; raises Cancelled when the watcher asks to stop."""
        self.done += 1
        if self.watch is not None and not self.watch(self.done, self.total):
            raise Cancelled(f"cancelled after {self.done} of {self.total} denoising steps, as the watcher asked")


def check_settings(steps: int, guidance: float, batch: int) -> None:
    """Refuse settings that name no picture (PresetError)."""
    if steps < 1:
        raise PresetError(f"steps = {steps}: at least 1 denoising step is needed")
    if batch < 1:
        raise PresetError(f"batch = {batch}: at least 1 picture a batch is needed")
    if not 0.0 <= guidance < float("inf"):
        raise PresetError(f"guidance = {guidance}: a finite number of at least 0 is needed (1 means none)")
