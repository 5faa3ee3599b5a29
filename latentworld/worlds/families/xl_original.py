"""A single .safetensors checkpoint of SDXL, in the layout of Stability's generative-models."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from latentworld.errors import WorldDamaged
from latentworld.worlds import files
from latentworld.worlds.families import original
from latentworld.worlds.families.family import CheckpointFormat, Config, Facts, LatentFormat
from latentworld.worlds.families.original_names import (
    FIRST,
    LABELS,
    LAST,
    QUANTISED,
    TEXT,
    UNET,
    VAE,
    ZERO_SNR,
    canonical,
)
from latentworld.worlds.families.original_parts import (
    Kind,
    Shapes,
    has_vae,
    load_unet_as,
    load_vae,
    text_config,
    unet_config,
    vae_config,
)
from latentworld.worlds.families.xl_fit import vae_dtype
from latentworld.worlds.layout import Checkpoint

if TYPE_CHECKING:
    import torch
    from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection

WORDS = "conditioner.embedders."
REFINER = WORDS + "0.model."  # the refiner has the second text encoder alone
FIRST_CLIP = Kind(WORDS + "0.transformer.text_model.", False, 1024, "epsilon")
SECOND_CLIP = Kind(WORDS + "1.model.", True, 1024, "epsilon")
SPACED = {"timestep_spacing": "leading", "steps_offset": 1}
SCALE = {"scaling_factor": 0.13025, "force_upcast": True}


def reader(latent: Callable[[Config, Config], LatentFormat]) -> CheckpointFormat:
    """How SDXL's checkpoints are known and read."""

    def facts(checkpoint: Checkpoint) -> Facts:
        with original.whole(checkpoint.path, "SDXL"):
            shapes = original.shapes_of(checkpoint)
            _check_text(shapes)
            vae = vae_config(shapes) | SCALE if has_vae(shapes) else {}
            size, prediction = original.said(checkpoint, FIRST_CLIP)
            schedule = original.BETAS | SPACED | {"prediction_type": prediction}
            schedule |= original.TO_NOISE if ZERO_SNR in shapes else {}
            few_step = "lcm" if original.TOLD in shapes else ""
            return Facts(size, prediction, latent(xl_config(shapes, 0), vae), schedule, few_step)

    return CheckpointFormat(_claims, facts, _load, _sizes, _weights)


def xl_config(shapes: Shapes, side: int) -> dict[str, object]:
    """UNet2DConditionModel's config from the shapes of a checkpoint; side: of the latents it was made for."""
    config = unet_config(shapes, side)
    widths = config["block_out_channels"]
    assert isinstance(widths, list)
    takes = shapes[LABELS + "0.0.weight"][1]
    pooled = shapes[SECOND_CLIP.text + "text_projection"][1]
    return config | {
        "attention_head_dim": [max(width // 64, 1) for width in widths],  # numbers of heads, each 64 wide
        "transformer_layers_per_block": _depths(shapes, len(widths)),
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": (takes - pooled) // 6,
        "projection_class_embeddings_input_dim": takes,
    }


def _depths(shapes: Shapes, levels: int) -> list[int]:
    """How many transformer layers each level has; 1 where it has none."""
    depths, level = [0] * levels, 0
    row = 1
    while any(key.startswith(f"{UNET}input_blocks.{row}.") for key in shapes):
        stem = f"{UNET}input_blocks.{row}."
        level += stem + "0.op.weight" in shapes
        found = (re.match(re.escape(stem) + r"1\.transformer_blocks\.(\d+)\.", key) for key in shapes)
        depths[level] = max([depths[level], *(int(match[1]) + 1 for match in found if match)])
        row += 1
    return [depth or 1 for depth in depths]


def _claims(checkpoint: Checkpoint) -> bool:
    """Whether this is SDXL, whole or not."""
    shapes = original.shapes_of(checkpoint)
    ends = shapes.get(FIRST, (0, 0))[1], shapes.get(LAST, (4,))[0]
    return (
        ends == (4, 4)
        and LABELS + "0.0.weight" in shapes
        and not any(key.startswith((TEXT, REFINER)) or QUANTISED.search(key) for key in shapes)
    )


def _check_text(shapes: Shapes) -> None:
    lacking = [number for number, kind in ((1, FIRST_CLIP), (2, SECOND_CLIP)) if not _has(shapes, kind.text)]
    if lacking:
        which = "both text encoders are" if len(lacking) == 2 else f"text encoder {lacking[0]} of two is"
        raise WorldDamaged(f"this is SDXL, and {which} missing: give a checkpoint that has all its parts")


def _has(shapes: Shapes, prefix: str) -> bool:
    return any(key.startswith(prefix) for key in shapes)


def _load(checkpoint: Checkpoint, facts: Facts, dtype: torch.dtype) -> dict[str, object]:
    """The parts; without a VAE where the file has none."""
    path, shapes = checkpoint.path, original.shapes_of(checkpoint)
    words = original.words_beside(path.parent / "tokenizer", False)
    second = path.parent / "tokenizer_2"
    words_2 = original.words_beside(second if second.is_dir() else path.parent / "tokenizer", True)
    held = files.tensors(path)
    weights = {ours: held[key] for ours, key in canonical(held).items()}
    with original.whole(path, "SDXL"):
        parts: dict[str, object] = {
            "unet": load_unet_as(weights, xl_config(shapes, facts.size // facts.latent.cell)).to(dtype),
            "text_encoder": _first(weights, shapes).to(dtype),
            "text_encoder_2": _second(weights, shapes).to(dtype),
        }
        if has_vae(shapes):
            parts["vae"] = load_vae(weights, shapes, SCALE).to(vae_dtype(SCALE, dtype))
    return {**parts, "tokenizer": words, "tokenizer_2": words_2, "scheduler": facts.schedule}


def _first(weights: dict[str, torch.Tensor], shapes: Shapes) -> CLIPTextModel:
    from diffusers.loaders.single_file_utils import convert_ldm_clip_checkpoint
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel

    model = CLIPTextModel(CLIPTextConfig(**text_config(FIRST_CLIP, shapes)))
    return _filled(model, convert_ldm_clip_checkpoint(weights))


def _second(weights: dict[str, torch.Tensor], shapes: Shapes) -> CLIPTextModelWithProjection:
    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModelWithProjection

    model = CLIPTextModelWithProjection(CLIPTextConfig(**_second_config(shapes)))
    return _filled(model, convert_open_clip_checkpoint(model, weights, prefix=SECOND_CLIP.text))


def _second_config(shapes: Shapes) -> dict[str, object]:
    """That of SD 2's text encoder, all of whose layers are read here, with its projection."""
    stem = SECOND_CLIP.text + "transformer.resblocks."
    layers = {key.removeprefix(stem).split(".")[0] for key in shapes if key.startswith(stem)}
    pooled = shapes[SECOND_CLIP.text + "text_projection"][1]
    return text_config(SECOND_CLIP, shapes) | {"num_hidden_layers": len(layers), "projection_dim": pooled}


def _filled(model: CLIPTextModel, found: Mapping[str, torch.Tensor]) -> CLIPTextModel:
    """The model with these weights, which may or may not lie in `text_model`."""
    wanted = model.state_dict().keys()
    inner = "text_model." if "text_model" in dict(model.named_children()) else ""
    outer = {key for key, _ in model.named_children()} - {"text_model"}
    bare = {key.removeprefix("text_model."): value for key, value in found.items()}
    named = {(key if inner and key.split(".")[0] in outer else inner + key): value for key, value in bare.items()}
    model.load_state_dict({key: value for key, value in named.items() if key in wanted})
    return model


def _sizes(checkpoint: Checkpoint) -> dict[str, int]:
    shapes = original.shapes_of(checkpoint)
    prefixes = {"unet": UNET, "vae": VAE, "text_encoder": WORDS + "0.", "text_encoder_2": WORDS + "1."}
    return {
        part: sum(math.prod(shape) for key, shape in shapes.items() if key.startswith(prefix))
        for part, prefix in prefixes.items()
    }


def _weights(checkpoint: Checkpoint, part: str) -> Shapes:
    """The shapes of the UNet's and of the first text encoder's weights, as their libraries call them."""
    import torch
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel

    with original.whole(checkpoint.path, "SDXL"), torch.device("meta"):  # which holds no numbers
        shapes = original.shapes_of(checkpoint)
        if part == "unet":
            network: torch.nn.Module = UNet2DConditionModel(**xl_config(shapes, 128))
        elif part == "text_encoder":
            network = CLIPTextModel(CLIPTextConfig(**text_config(FIRST_CLIP, shapes)))
        else:
            return {}
    return {name: tuple(weight.shape) for name, weight in network.named_parameters()}
