"""A single .safetensors checkpoint in the layout of the original Stable Diffusion code (SD 1.x and 2.x).

The shapes of the weights tell the configs; what weights cannot tell (prediction type and size of SD 2) a card beside
the file may: `NAME.toml` for `NAME.safetensors`. The tokenizer is not in such a file: a `tokenizer/` folder beside it
is used, else CLIP's from the hub's cache.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.errors import LatentWorldError, WorldDamaged, WorldMissing
from latentworld.worlds.families.family import CheckpointFormat, Config, Facts, LatentFormat
from latentworld.worlds.hub import fetch
from latentworld.worlds.layout import Checkpoint
from latentworld.worlds.locate import HubRef
from latentworld.worlds.parts import tokenizer

if TYPE_CHECKING:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers.models.clip.modeling_clip import CLIPTextModel
    from transformers.models.clip.tokenization_clip import CLIPTokenizer

Shapes = Mapping[str, tuple[int, ...]]
UNET, VAE = "model.diffusion_model.", "first_stage_model."
FIRST, PAINTS = UNET + "input_blocks.0.0.weight", VAE + "post_quant_conv.weight"
LAST = UNET + "out.2.weight"
LABELS = UNET + "label_emb."
TOKENIZER = HubRef("openai/clip-vit-large-patch14")
OPEN_CLIP_WIDTH = 1024
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "set_alpha_to_one": False}


@dataclass(frozen=True)
class Kind:
    """What differs between the two generations: where the text encoder lies in a file, and what is taken for granted.

    open: the text encoder is OpenCLIP's, read at its last layer but one and padded with word 0.
    """

    text: str
    open: bool
    size: int
    prediction: str


SD1 = Kind("cond_stage_model.transformer.text_model.", False, 512, "epsilon")
SD2 = Kind("cond_stage_model.model.", True, 768, "v_prediction")  # as diffusers takes it


def reader(kind: Kind, latent: Callable[[Config, Config], LatentFormat], channels: int) -> CheckpointFormat:
    """How checkpoints of this kind are known and read."""

    def claims(checkpoint: Checkpoint) -> bool:
        shapes = checkpoint.shapes
        ends = shapes.get(FIRST, (0, 0))[1], shapes.get(LAST, (channels,))[0]
        whole = PAINTS in shapes and any(key.startswith(kind.text) for key in shapes)
        return whole and ends == (channels, channels) and not any(key.startswith(LABELS) for key in shapes)

    def facts(checkpoint: Checkpoint) -> Facts:
        with _whole(checkpoint.path):
            shapes = checkpoint.shapes
            return Facts(kind.size, kind.prediction, latent(unet_config(shapes, 0), vae_config(shapes)))

    def load(checkpoint: Checkpoint, facts: Facts, dtype: torch.dtype) -> dict[str, object]:
        return _load(kind, checkpoint, facts, dtype)

    return CheckpointFormat(claims, facts, load, _sizes)


def _load(kind: Kind, checkpoint: Checkpoint, facts: Facts, dtype: torch.dtype) -> dict[str, object]:
    from safetensors.torch import load_file

    path, shapes, weights = checkpoint.path, checkpoint.shapes, load_file(checkpoint.path)
    with _whole(path):
        parts = {
            "unet": _unet(weights, shapes, facts.size // facts.latent.cell),
            "vae": _vae(weights, shapes),
            "text_encoder": _text(kind, weights, shapes),
        }
    return {
        **{name: model.to(dtype) for name, model in parts.items()},
        "tokenizer": _tokenizer(path.parent / "tokenizer", kind.open),
        "scheduler": BETAS | {"prediction_type": facts.prediction},
    }


def _sizes(checkpoint: Checkpoint) -> dict[str, int]:
    prefixes = {"unet": UNET, "vae": VAE, "text_encoder": "cond_stage_model."}
    return {
        part: sum(math.prod(shape) for key, shape in checkpoint.shapes.items() if key.startswith(prefix))
        for part, prefix in prefixes.items()
    }


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[None]:
    """What a file lacks becomes WorldDamaged, in one line."""
    try:
        yield
    except LatentWorldError:
        raise
    except (KeyError, IndexError, RuntimeError, ValueError, StopIteration) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WorldDamaged(f"{path} is no whole Stable Diffusion 1 or 2 checkpoint ({why}): get it again") from error


def unet_config(shapes: Shapes, side: int) -> dict[str, object]:
    """UNet2DConditionModel's config from the shapes of an original checkpoint; side: of the latents it was made for."""
    widths, attended, layers = [shapes[UNET + "input_blocks.0.0.weight"][0]], [False], [0]
    row = 1
    while any(key.startswith(f"{UNET}input_blocks.{row}.") for key in shapes):
        stem = f"{UNET}input_blocks.{row}."
        if stem + "0.op.weight" in shapes:
            widths, attended, layers = [*widths, 0], [*attended, False], [*layers, 0]
        else:
            widths[-1] = shapes[stem + "0.out_layers.3.weight"][0]
            attended[-1] |= stem + "1.norm.weight" in shapes
            layers[-1] += 1
        row += 1
    context = next(
        shape[1] for key, shape in shapes.items() if key.startswith(UNET) and key.endswith("attn2.to_k.weight")
    )
    linear = len(next(shape for key, shape in shapes.items() if key.endswith("1.proj_in.weight"))) == 2
    return {
        "sample_size": side,
        "in_channels": shapes[UNET + "input_blocks.0.0.weight"][1],
        "out_channels": shapes[UNET + "out.2.weight"][0],
        "block_out_channels": widths,
        "layers_per_block": layers[0],
        "down_block_types": ["CrossAttnDownBlock2D" if there else "DownBlock2D" for there in attended],
        "up_block_types": ["CrossAttnUpBlock2D" if there else "UpBlock2D" for there in reversed(attended)],
        "cross_attention_dim": context,
        # Numbers of heads, in spite of the name: 8 everywhere in SD 1, 64 wide in SD 2.
        "attention_head_dim": [width // 64 for width in widths] if context == OPEN_CLIP_WIDTH else 8,
        "use_linear_projection": linear,
    }


def vae_config(shapes: Shapes) -> dict[str, object]:
    """AutoencoderKL's config from the shapes of an original checkpoint."""
    stem = VAE + "encoder.down."
    blocks = len({key.split(".")[3] for key in shapes if key.startswith(stem)})
    layers = len({key.split(".")[5] for key in shapes if key.startswith(stem + "0.block.")})
    return {
        "block_out_channels": [shapes[f"{stem}{row}.block.0.conv1.weight"][0] for row in range(blocks)],
        "layers_per_block": layers,
        "latent_channels": shapes[VAE + "post_quant_conv.weight"][0],
        "down_block_types": ["DownEncoderBlock2D"] * blocks,
        "up_block_types": ["UpDecoderBlock2D"] * blocks,
        "scaling_factor": 0.18215,
    }


def text_config(kind: Kind, shapes: Shapes) -> dict[str, object]:
    """CLIPTextModel's config from the shapes; SD 2 feeds the UNet from the last layer but one of OpenCLIP ViT-H."""
    stem = kind.text
    if kind.open:
        words, places = shapes[stem + "token_embedding.weight"], shapes[stem + "positional_embedding"]
        stem, inner = stem + "transformer.resblocks.", "mlp.c_fc"
    else:
        inside = stem + "embeddings."
        words, places = shapes[inside + "token_embedding.weight"], shapes[inside + "position_embedding.weight"]
        stem, inner = stem + "encoder.layers.", "mlp.fc1"
    layers = {int(key.removeprefix(stem).split(".")[0]) for key in shapes if key.startswith(stem)}
    return {
        "vocab_size": words[0],
        "hidden_size": words[1],
        "intermediate_size": shapes[f"{stem}0.{inner}.weight"][0],
        "num_hidden_layers": min(len(layers), 23) if kind.open else len(layers),
        "num_attention_heads": max(words[1] // 64, 1),
        "max_position_embeddings": places[0],
        "hidden_act": "gelu" if kind.open else "quick_gelu",
        "eos_token_id": 2,  # as in the published configs; the last hidden state does not depend on it
        "projection_dim": 512 if kind.open else 768,
    }


def _unet(weights: dict[str, torch.Tensor], shapes: Shapes, side: int) -> UNet2DConditionModel:
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    config = unet_config(shapes, side)
    model = UNet2DConditionModel(**config)
    model.load_state_dict(convert_ldm_unet_checkpoint(weights, config))
    return model


def _vae(weights: dict[str, torch.Tensor], shapes: Shapes) -> AutoencoderKL:
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    config = vae_config(shapes)
    model = AutoencoderKL(**config)
    model.load_state_dict(convert_ldm_vae_checkpoint(weights, config))
    return model


def _text(kind: Kind, weights: dict[str, torch.Tensor], shapes: Shapes) -> CLIPTextModel:
    from diffusers.loaders.single_file_utils import convert_ldm_clip_checkpoint, convert_open_clip_checkpoint
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel

    model = CLIPTextModel(CLIPTextConfig(**text_config(kind, shapes)))
    if kind.open:
        found = convert_open_clip_checkpoint(model, weights, prefix=kind.text)
    else:
        found = convert_ldm_clip_checkpoint(weights)
    # transformers 5.6 took the `text_model.` level out of CLIPTextModel.
    inner = "text_model." if "text_model" in dict(model.named_children()) else ""
    wanted = model.state_dict().keys()
    named = {inner + key.removeprefix("text_model."): value for key, value in found.items()}
    model.load_state_dict({key: value for key, value in named.items() if key in wanted})
    return model


def _tokenizer(beside: Path, pads_with_word_0: bool) -> CLIPTokenizer:
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
