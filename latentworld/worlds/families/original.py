"""A single .safetensors checkpoint in the layout of the original Stable Diffusion code (SD 1.x and 2.x).

The shapes of the weights tell the configs; what weights cannot tell (prediction type and size of SD 2) the file's
metadata may, or a card beside it: `NAME.toml` for `NAME.safetensors`. The tokenizer is not
in such a file: a `tokenizer/` folder beside it is used, else CLIP's from the hub's cache.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.errors import LatentWorldError, WorldDamaged, WorldMissing
from latentworld.worlds import files
from latentworld.worlds.families.family import CheckpointFormat, Config, Facts, LatentFormat
from latentworld.worlds.families.original_names import (
    FIRST,
    LABELS,
    LAST,
    QUANTISED,
    TEXT,
    UNET,
    V_PREDICTION,
    VAE,
    ZERO_SNR,
    canonical,
)
from latentworld.worlds.families.original_parts import (
    OPEN_CLIP_WIDTH,
    Kind,
    Shapes,
    has_vae,
    load_text,
    load_unet,
    load_vae,
    skeleton,
    unet_config,
    vae_config,
)
from latentworld.worlds.hub import fetch
from latentworld.worlds.layout import Checkpoint
from latentworld.worlds.locate import HubRef
from latentworld.worlds.parts import tokenizer

if TYPE_CHECKING:
    import torch
    from diffusers.models.modeling_utils import ModelMixin
    from transformers.modeling_utils import PreTrainedModel
    from transformers.models.clip.tokenization_clip import CLIPTokenizer

TOKENIZER = HubRef("openai/clip-vit-large-patch14")
TOLD = UNET + "time_embed.cond_proj.weight"  # a UNet that is told its guidance
# picture side and prediction type of the architectures that modelspec names (github.com/Stability-AI/ModelSpec)
ARCHITECTURES = {"stable-diffusion-v2-768-v": ("768", "v_prediction"), "stable-diffusion-v2-512": ("512", "epsilon")}
PREDICTIONS = {"v": "v_prediction", "v_prediction": "v_prediction", "epsilon": "epsilon"}
TO_NOISE = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}  # a schedule that ends in pure noise
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "set_alpha_to_one": False}


def reader(kind: Kind, latent: Callable[[Config, Config], LatentFormat], channels: int) -> CheckpointFormat:
    """How checkpoints of this kind are known and read."""

    def claims(checkpoint: Checkpoint) -> bool:
        shapes = shapes_of(checkpoint)
        ends = shapes.get(FIRST, (0, 0))[1], shapes.get(LAST, (channels,))[0]
        reads = next((shape[-1] for key, shape in shapes.items() if key.endswith("attn2.to_k.weight")), None)
        return (
            ends == (channels, channels)
            and any(key.startswith(kind.text) for key in shapes)
            and (reads == OPEN_CLIP_WIDTH) == kind.open
            and not any(key.startswith(LABELS) or QUANTISED.search(key) for key in shapes)
        )

    def facts(checkpoint: Checkpoint) -> Facts:
        with whole(checkpoint.path):
            shapes = shapes_of(checkpoint)
            vae = vae_config(shapes) if has_vae(shapes) else {}
            size, prediction = said(checkpoint, kind)
            schedule = BETAS | {"prediction_type": prediction} | (TO_NOISE if ZERO_SNR in shapes else {})
            few_step = "lcm" if TOLD in shapes else ""
            return Facts(size, prediction, latent(unet_config(shapes, 0), vae), schedule, few_step)

    def load(checkpoint: Checkpoint, facts: Facts, dtype: torch.dtype) -> dict[str, object]:
        return _load(kind, checkpoint, facts, dtype)

    def weights(checkpoint: Checkpoint, part: str) -> Mapping[str, tuple[int, ...]]:
        with whole(checkpoint.path):
            return skeleton(kind, shapes_of(checkpoint), part)

    return CheckpointFormat(claims, facts, load, _sizes, weights)


def shapes_of(checkpoint: Checkpoint) -> Shapes:
    """Its shapes by the keys of the original code."""
    return {ours: checkpoint.shapes[key] for ours, key in canonical(checkpoint.shapes).items()}


def said(checkpoint: Checkpoint, kind: Kind) -> tuple[int, str]:
    """Picture side and prediction type: what a file says of itself, by a marker or its modelspec, else its kind's."""
    spec = {key.removeprefix("modelspec."): value for key, value in checkpoint.metadata.items()}
    architecture = spec.get("architecture", "")
    size, prediction = next((said for name, said in ARCHITECTURES.items() if architecture.startswith(name)), ("", ""))
    prediction = PREDICTIONS.get(spec.get("prediction_type", "").lower(), prediction) or kind.prediction
    square = re.fullmatch(r"(\d{2,4})(x\1)?", spec.get("resolution", size))
    return int(square[1]) if square else kind.size, "v_prediction" if V_PREDICTION in checkpoint.shapes else prediction


def _load(kind: Kind, checkpoint: Checkpoint, facts: Facts, dtype: torch.dtype) -> dict[str, object]:
    """The parts; without a VAE where the file has none."""
    path, shapes = checkpoint.path, shapes_of(checkpoint)
    words = words_beside(path.parent / "tokenizer", kind.open)
    held = files.tensors(path)
    weights = {ours: held[key] for ours, key in canonical(held).items()}
    with whole(path):
        parts: dict[str, ModelMixin | PreTrainedModel] = {
            "unet": load_unet(weights, shapes, facts.size // facts.latent.cell),
            "text_encoder": load_text(kind, weights, shapes),
        }
        if has_vae(shapes):
            parts["vae"] = load_vae(weights, shapes)
    loaded = {name: model.to(dtype) for name, model in parts.items()}
    return {**loaded, "tokenizer": words, "scheduler": facts.schedule}


def _sizes(checkpoint: Checkpoint) -> dict[str, int]:
    shapes = shapes_of(checkpoint)
    return {
        part: sum(math.prod(shape) for key, shape in shapes.items() if key.startswith(prefix))
        for part, prefix in {"unet": UNET, "vae": VAE, "text_encoder": TEXT}.items()
    }


@contextlib.contextmanager
def whole(path: Path, title: str = "Stable Diffusion 1 or 2") -> Iterator[None]:
    """What a file lacks becomes WorldDamaged, in one line that names it."""
    try:
        yield
    except LatentWorldError as error:
        raise type(error)(f"{path}: {error}") from error
    except (KeyError, IndexError, RuntimeError, ValueError, StopIteration) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WorldDamaged(f"{path} is no whole {title} checkpoint ({why}): get it again") from error


def words_beside(beside: Path, pads_with_word_0: bool) -> CLIPTokenizer:
    """CLIP's tokenizer from a folder beside a file, else from the hub's cache. Raises WorldMissing."""
    if beside.is_dir():
        return tokenizer(beside)
    try:
        folder = fetch(TOKENIZER, marker="tokenizer_config.json", parts=())
    except WorldMissing as error:
        raise WorldMissing(
            f"a checkpoint file holds no tokenizer, and {TOKENIZER} cannot be fetched: "
            f"put a tokenizer folder (vocab.json, merges.txt) at {beside}"
        ) from error
    words = tokenizer(folder)
    if pads_with_word_0:
        words.pad_token = "!"  # CLIP's own tokenizer pads with the end token
    return words
