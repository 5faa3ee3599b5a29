"""Sizes of a cast: `tiny` for tests, `cpu` (128², two cores) and `gpu` (256², one large GPU)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field

from foundry.errors import FoundryError


@dataclass(frozen=True)
class DataPreset:
    """How many pictures of each family, at which size, and what share of them is degraded on purpose."""

    size: int = 128
    train: int = 2000
    held: int = 64
    captions: int = 3
    degraded: float = 0.08
    vocabulary: int = 1500


@dataclass(frozen=True)
class StagePreset:
    """What one stage needs besides its network: budget, batch, rates of Muon (`rate`) and of AdamW (`small`)."""

    minutes: float
    batch: int
    rate: float
    small: float = 2e-3
    warmup: int = 50
    ema: float = 0.998
    decay: float = 0.01
    steps: int | None = None


@dataclass(frozen=True)
class Shapes:
    """The networks. Everything a world file needs in order to be loaded again is in its own config.json."""

    vae: tuple[int, ...] = (16, 32, 64, 128)
    vae_layers: int = 1
    tiny: int = 32
    tiny_blocks: tuple[int, ...] = (4, 3, 1, 0)
    clip_width: int = 192
    clip_layers: int = 6
    text_width: int = 192
    text_layers: int = 4
    patch: int = 16
    tokens: int = 64
    projection: int = 160
    unet: tuple[int, ...] = (64, 128, 192)
    unet_layers: int = 1
    head: int = 32


@dataclass(frozen=True)
class Preset:
    """One cast."""

    name: str
    data: DataPreset = field(default_factory=DataPreset)
    shapes: Shapes = field(default_factory=Shapes)
    autoencoder: StagePreset = StagePreset(minutes=28, batch=16, rate=1e-2, small=3e-3)
    tiny_vae: StagePreset = StagePreset(minutes=4, batch=16, rate=1e-2, small=3e-3)
    clip: StagePreset = StagePreset(minutes=6, batch=64, rate=5e-3)
    unet: StagePreset = StagePreset(minutes=75, batch=64, rate=5e-3, ema=0.999)
    eye: StagePreset = StagePreset(minutes=5, batch=64, rate=3e-3, small=1e-3)
    student: StagePreset = StagePreset(minutes=13, batch=32, rate=2e-3, small=1e-3, ema=0.995)
    trajectories: int = 1200
    beginnings: int = 7200
    teacher_steps: int = 20
    student_steps: int = 4
    guidance: float = 5.0
    bfloat16: bool = True
    columns: int = 6  # pictures of each family on a sample sheet

    def fingerprint(self, stage: str) -> str:
        """Changes whenever a resumed stage would not be the same stage; budgets may change, the rest may not."""
        plain = dataclasses.asdict(self)
        own = {"stage": stage, **{key: plain[key] for key in DEPENDS[stage][0] if key in plain}}
        own |= {key: plain["shapes"][key] for key in DEPENDS[stage][0] if key in plain["shapes"]}
        if isinstance(plain.get(stage), dict):
            own |= {key: value for key, value in plain[stage].items() if key not in ("minutes", "steps")}
        own["before"] = [self.fingerprint(name) for name in DEPENDS[stage][1]]
        return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()[:16]


DEPENDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "data": (("data",), ()),
    "autoencoder": (("vae", "vae_layers"), ("data",)),
    "tiny_vae": (("tiny", "tiny_blocks"), ("autoencoder",)),
    "clip": (
        ("clip_width", "clip_layers", "text_width", "text_layers", "patch", "tokens", "projection"),
        ("data",),
    ),
    "eye": ((), ("autoencoder", "clip")),
    "unet": (("unet", "unet_layers", "head"), ("autoencoder", "clip")),
    "trajectories": (("trajectories", "beginnings", "teacher_steps", "guidance", "student_steps"), ("unet",)),
    "student": ((), ("trajectories",)),
}


TINY = Preset(
    "tiny",
    DataPreset(size=32, train=16, held=4, captions=2, vocabulary=400),
    Shapes(vae=(8, 8, 8, 16), tiny=8, clip_width=32, clip_layers=1, text_width=32, text_layers=1, patch=8,
           projection=16, unet=(16, 32), head=16),
    StagePreset(1, 4, 1e-2, steps=6), StagePreset(1, 4, 1e-2, steps=4), StagePreset(1, 8, 5e-3, steps=6),
    StagePreset(1, 8, 5e-3, steps=6), StagePreset(1, 8, 3e-3, steps=6), StagePreset(1, 4, 2e-3, steps=6),
    trajectories=8, beginnings=8, teacher_steps=4, student_steps=2, bfloat16=False,
)  # fmt: skip

GPU = Preset(
    "gpu",
    DataPreset(size=256, train=4000),
    Shapes(vae=(32, 64, 128, 192), tiny=48, unet=(160, 256, 384), unet_layers=2),
    StagePreset(8, 32, 1e-2), StagePreset(2, 32, 1e-2), StagePreset(3, 256, 5e-3),
    StagePreset(8, 256, 5e-3, ema=0.9995), StagePreset(2, 256, 3e-3), StagePreset(3, 128, 2e-3),
    trajectories=12000, beginnings=24000,
)  # fmt: skip

PRESETS = {preset.name: preset for preset in (TINY, Preset("cpu"), GPU)}


def find(name: str) -> Preset:
    """The preset of that name."""
    if name not in PRESETS:
        raise FoundryError(f"unknown preset {name!r}: use one of {', '.join(PRESETS)}")
    return PRESETS[name]
