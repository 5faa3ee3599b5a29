"""Sizes of a cast: `tiny` for tests, `cpu` (128², two cores), `gpu` (the same in ten minutes of one large GPU) and
`gpu-256` (256² by an autoencoder of factor 16, at the same cost of diffusion).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field

from foundry.errors import FoundryError


@dataclass(frozen=True)
class DataPreset:
    """How many pictures of each family, at which size, and what share of them is degraded on purpose.

    The autoencoder needs only the first `early` of each family, so it can begin before the rest is drawn.
    """

    size: int = 128
    train: int = 8000
    held: int = 128
    early: int = 1000
    captions: int = 3
    degraded: float = 0.08
    vocabulary: int = 1500


@dataclass(frozen=True)
class StagePreset:
    """What one stage needs besides its network: budget, batch, rates of Muon (`rate`) and of AdamW (`small`).

    `early` is the batch of the first third. The rate is level and falls over the last share `fall` of the budget.
    `averages` are the decays of the averaged weights. A budget of steps, where given, comes before one of minutes.
    """

    minutes: float
    batch: int
    rate: float
    small: float = 2e-3
    warmup: int = 50
    averages: tuple[float, ...] = (0.998,)
    decay: float = 0.01
    steps: int | None = None
    fall: float = 0.5
    early: int | None = None

    def batch_at(self, done: float) -> int:
        """Samples a step when so much of the budget (0..1) is used."""
        return self.early if self.early is not None and done < 1 / 3 else self.batch


@dataclass(frozen=True)
class Shapes:
    """The networks. Everything a world file needs in order to be loaded again is in its own config.json.

    Several `unets` are tried against each other on equal minutes; the winner becomes the teacher.
    """

    vae: tuple[int, ...] = (16, 32, 96, 128)
    vae_layers: int = 1
    channels: int = 4
    tiny: int = 32
    tiny_blocks: tuple[int, ...] = (4, 3, 1, 0)
    clip_width: int = 192
    clip_layers: int = 6
    text_width: int = 192
    text_layers: int = 4
    patch: int = 16
    tokens: int = 64
    projection: int = 160
    unets: tuple[tuple[int, ...], ...] = ((64, 128, 192),)  # of three: docs/casting.md, G2
    unet_layers: int = 1
    head: int = 32

    @property
    def factor(self) -> int:
        """Pixels a latent cell."""
        return int(2 ** (len(self.vae) - 1))


@dataclass(frozen=True)
class Latents:
    """How the autoencoder's latents are made diffusable (docs/casting.md, gate G1).

    `scale` weighs decoding of halved latents against halved pictures, `turned` is how often latents are turned or
    flipped before they are decoded, `noise` the most noise that decoding must bear, `pin` the pull of each channel's
    deviation to 1, `smooth` the weight of what of latents is lost by halving them, `edges` that of the gradients'
    absolute error.
    """

    scale: float = 0.5
    turned: float = 0.4
    noise: float = 0.4
    pin: float = 0.02
    smooth: float = 0.02
    edges: float = 0.1


@dataclass(frozen=True)
class Preset:
    """One cast."""

    name: str
    data: DataPreset = field(default_factory=DataPreset)
    shapes: Shapes = field(default_factory=Shapes)
    latents: Latents = field(default_factory=Latents)
    autoencoder: StagePreset = StagePreset(105, 32, 1e-2, 3e-3, steps=5300)
    clip: StagePreset = StagePreset(10, 64, 5e-3, steps=1000)
    bakeoff: StagePreset = StagePreset(12, 64, 5e-3, averages=(0.99,))
    unet: StagePreset = StagePreset(320, 128, 5e-3, averages=(0.999, 0.9997), steps=9400, fall=0.25, early=64)
    distil: StagePreset = StagePreset(25, 64, 1.5e-3, 7e-4, averages=(0.99,), steps=860)
    student: StagePreset = StagePreset(40, 64, 2e-3, 1e-3, averages=(0.995,), steps=2400)
    polish: StagePreset = StagePreset(40, 16, 3e-3, 1e-3, averages=(0.995,), steps=2500)
    eye: StagePreset = StagePreset(5, 64, 3e-3, 1e-3, steps=400)
    tiny_vae: StagePreset = StagePreset(25, 8, 1e-2, 3e-3, steps=4000)
    paths: int = 9600
    beginnings: int = 15000
    teacher_steps: int = 20
    student_steps: int = 5
    guidance: float = 2.0
    columns: int = 6  # pictures of each family on a sample sheet

    @property
    def side(self) -> int:
        """Cells along a latent."""
        return self.data.size // self.shapes.factor

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one latent."""
        return (self.shapes.channels, self.side, self.side)

    def fingerprint(self, stage: str, trained: bool = True) -> str:
        """Changes whenever a resumed stage would not be the same stage; budgets may change, the rest may not. Without
        ``trained`` it says what a whole stage's network is, however it was trained."""
        plain = dataclasses.asdict(self)
        own = {"stage": stage, **{key: plain[key] for key in DEPENDS[stage][0] if key in plain}}
        own |= {key: plain["shapes"][key] for key in DEPENDS[stage][0] if key in plain["shapes"]}
        if trained and isinstance(plain.get(stage), dict):
            own |= {key: value for key, value in plain[stage].items() if key not in ("minutes", "steps")}
        own["before"] = [self.fingerprint(name, trained) for name in DEPENDS[stage][1]]
        return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16]


DEPENDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "data": (("data",), ()),
    "autoencoder": (("vae", "vae_layers", "channels", "latents"), ("data",)),
    "clip": (
        ("clip_width", "clip_layers", "text_width", "text_layers", "patch", "tokens", "projection"),
        ("data",),
    ),
    "bakeoff": (("unets", "unet_layers", "head"), ("autoencoder", "clip")),
    "unet": (("unets", "unet_layers", "head"), ("autoencoder", "clip")),
    "paths": (("paths", "beginnings", "teacher_steps", "guidance", "student_steps"), ("unet",)),
    "distil": (("guidance",), ("unet",)),
    "student": ((), ("paths", "distil")),
    "polish": ((), ("unet",)),
    "eye": ((), ("polish",)),
    "tiny_vae": (("tiny", "tiny_blocks"), ("polish",)),
}
STAGES = ("data", "autoencoder", "clip", "bakeoff", "unet", "paths", "distil", "student", "polish", "eye", "tiny_vae")
TRAINED = ("autoencoder", "clip", "unet", "distil", "student", "polish", "eye", "tiny_vae")


def _steps(steps: int, batch: int, rate: float, averages: tuple[float, ...] = (0.998,)) -> StagePreset:
    return StagePreset(1, batch, rate, steps=steps, averages=averages)


def _minutes(minutes: float, batch: int, rate: float, small: float, *averages: float) -> StagePreset:
    return StagePreset(minutes, batch, rate, small, averages=averages or (0.998,), fall=0.3)


TINY = Preset(
    "tiny",
    DataPreset(size=32, train=16, held=4, early=8, captions=2, vocabulary=400),
    Shapes(vae=(8, 8, 8, 16), tiny=8, clip_width=32, clip_layers=1, text_width=32, text_layers=1, patch=8,
           projection=16, unets=((16, 32), (16, 16)), head=16),
    autoencoder=_steps(6, 4, 1e-2), clip=_steps(6, 8, 5e-3), bakeoff=_steps(2, 8, 5e-3),
    unet=_steps(6, 8, 5e-3, (0.99, 0.999)), distil=_steps(4, 4, 2e-3), student=_steps(6, 4, 2e-3),
    polish=_steps(6, 4, 2e-3), eye=_steps(6, 8, 3e-3), tiny_vae=_steps(4, 4, 1e-2),
    paths=8, beginnings=8, teacher_steps=4, student_steps=2, columns=1,
)  # fmt: skip

# Rates of Muon grow with the root of the batch.
GPU = Preset(
    "gpu",
    shapes=Shapes(unets=((96, 160, 160),)),
    clip=_minutes(1.0, 256, 5e-3, 2e-3), unet=_minutes(4.0, 1024, 1.4e-2, 4e-3, 0.999, 0.9997),
    distil=_minutes(0.4, 512, 3e-3, 1e-3, 0.99), student=_minutes(1.5, 512, 5e-3, 2e-3, 0.995),
    polish=_minutes(1.0, 64, 4e-3, 1.5e-3, 0.995), eye=_minutes(0.3, 256, 3e-3, 1e-3),
    tiny_vae=_minutes(0.5, 32, 1e-2, 3e-3), paths=40000, beginnings=0,
)  # fmt: skip

GPU_256 = dataclasses.replace(
    GPU,
    name="gpu-256",
    data=DataPreset(size=256),
    shapes=Shapes(vae=(16, 32, 64, 128, 160), channels=8, tiny_blocks=(4, 4, 3, 1, 0), patch=32, tiny=32,
                  unets=((128, 192, 192),)),
    autoencoder=_minutes(6.0, 64, 1e-2, 3e-3),
)  # fmt: skip

PRESETS = {preset.name: preset for preset in (TINY, Preset("cpu"), GPU, GPU_256)}


def find(name: str) -> Preset:
    """The preset of that name."""
    if name not in PRESETS:
        raise FoundryError(f"unknown preset {name!r}: use one of {', '.join(PRESETS)}")
    return PRESETS[name]
