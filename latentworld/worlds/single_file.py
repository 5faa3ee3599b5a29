"""A single .safetensors checkpoint in the layout of the original Stable Diffusion code (SD 1.x and 2.x).

The shapes of the weights tell the configs; what weights cannot tell (prediction type and size of SD 2) a card beside
the file may: `NAME.toml` for `NAME.safetensors`. The tokenizer is not in such a file: a `tokenizer/` folder beside it
is used, else CLIP's from the hub's cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentworld.errors import LatentWorldError, WorldDamaged, WorldMismatch, WorldMissing
from latentworld.worlds import card as cards
from latentworld.worlds import files
from latentworld.worlds.locate import HubRef, fetch

if TYPE_CHECKING:
    import torch

    from latentworld.worlds.load import World

Shapes = dict[str, tuple[int, ...]]
UNET, VAE = "model.diffusion_model.", "first_stage_model."
TEXT_1, TEXT_2 = "cond_stage_model.transformer.text_model.", "cond_stage_model.model."
TOKENIZER = HubRef("openai/clip-vit-large-patch14")


def load(path: Path, source: str, dtype: torch.dtype) -> World:
    """Load a checkpoint file; WorldDamaged when a part is missing, WorldMissing when no tokenizer is to be had."""
    import torch
    from safetensors.torch import load_file

    from latentworld.worlds.load import World

    shapes = {key: tuple(entry["shape"]) for key, entry in files.header(path).items()}
    card = cards.read(path, path.stem, facts(shapes))
    weights = load_file(path)
    try:
        unet, vae, text = _unet(weights, shapes, card.size), _vae(weights, shapes), _text(weights, shapes)
    except LatentWorldError:
        raise
    except (KeyError, IndexError, RuntimeError, ValueError) as error:
        why = str(error).strip().splitlines()[0]
        raise WorldDamaged(f"{path} is no whole Stable Diffusion 1 or 2 checkpoint ({why}): get it again") from error
    return World(
        name=path.stem,
        source=source,
        card=card,
        unet=unet.to(dtype),
        vae=vae.to(dtype),
        text_encoder=text.to(dtype),
        tokenizer=_tokenizer(path.parent / "tokenizer", second=_is_second(shapes)),
        scheduler=_scheduler(card.prediction),
        student=None,
        tiny_vae=None,
        clip=card.clip,
        digest=f"{files.digest([path], path.parent)}-{card.prediction}-{card.size}",
        device=torch.device("cpu"),
        dtype=dtype,
    )


def facts(shapes: Shapes) -> dict[str, Any]:
    """Picture size and prediction as the shapes suggest: SD 2 is taken for 768 px, v-prediction, as diffusers does."""
    _check(shapes)
    second = _is_second(shapes)
    return {"size": 768 if second else 512, "prediction": "v_prediction" if second else "epsilon"}


def parameters(shapes: Shapes) -> dict[str, int]:
    """Number of parameters by part."""
    prefixes = {"unet": UNET, "vae": VAE, "text_encoder": "cond_stage_model."}
    return {
        part: sum(math.prod(shape) for key, shape in shapes.items() if key.startswith(prefix))
        for part, prefix in prefixes.items()
    }


def unet_config(shapes: Shapes, size: int) -> dict[str, Any]:
    """UNet2DConditionModel's config from the shapes of an original checkpoint."""
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
    context = _context(shapes)
    linear = len(next(shape for key, shape in shapes.items() if key.endswith("1.proj_in.weight"))) == 2
    return {
        "sample_size": size // 8,
        "in_channels": shapes[UNET + "input_blocks.0.0.weight"][1],
        "out_channels": shapes[UNET + "out.2.weight"][0],
        "block_out_channels": widths,
        "layers_per_block": layers[0],
        "down_block_types": ["CrossAttnDownBlock2D" if there else "DownBlock2D" for there in attended],
        "up_block_types": ["CrossAttnUpBlock2D" if there else "UpBlock2D" for there in reversed(attended)],
        "cross_attention_dim": context,
        # Numbers of heads, in spite of the name: 8 everywhere in SD 1, 64 wide in SD 2.
        "attention_head_dim": [width // 64 for width in widths] if context == 1024 else 8,
        "use_linear_projection": linear,
    }


def vae_config(shapes: Shapes) -> dict[str, Any]:
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


def text_config(shapes: Shapes) -> dict[str, Any]:
    """CLIPTextModel's config from the shapes; SD 2 feeds the UNet from the last layer but one of OpenCLIP ViT-H."""
    second = _is_second(shapes)
    words = shapes[TEXT_2 + "token_embedding.weight" if second else TEXT_1 + "embeddings.token_embedding.weight"]
    places = shapes[TEXT_2 + "positional_embedding" if second else TEXT_1 + "embeddings.position_embedding.weight"]
    stem, inner = (TEXT_2 + "transformer.resblocks.", "mlp.c_fc") if second else (TEXT_1 + "encoder.layers.", "mlp.fc1")
    layers = {int(key.removeprefix(stem).split(".")[0]) for key in shapes if key.startswith(stem)}
    return {
        "vocab_size": words[0],
        "hidden_size": words[1],
        "intermediate_size": shapes[f"{stem}0.{inner}.weight"][0],
        "num_hidden_layers": min(len(layers), 23) if second else len(layers),
        "num_attention_heads": max(words[1] // 64, 1),
        "max_position_embeddings": places[0],
        "hidden_act": "gelu" if second else "quick_gelu",
        "eos_token_id": 2,  # as in the published configs; the last hidden state does not depend on it
        "projection_dim": 512 if second else 768,
    }


def _unet(weights: dict[str, torch.Tensor], shapes: Shapes, size: int) -> Any:
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    config = unet_config(shapes, size)
    model = UNet2DConditionModel(**config)
    model.load_state_dict(convert_ldm_unet_checkpoint(weights, config))
    return model


def _vae(weights: dict[str, torch.Tensor], shapes: Shapes) -> Any:
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    config = vae_config(shapes)
    model = AutoencoderKL(**config)
    model.load_state_dict(convert_ldm_vae_checkpoint(weights, config))
    return model


def _text(weights: dict[str, torch.Tensor], shapes: Shapes) -> Any:
    from diffusers.loaders.single_file_utils import convert_ldm_clip_checkpoint, convert_open_clip_checkpoint
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel

    model = CLIPTextModel(CLIPTextConfig(**text_config(shapes)))
    if _is_second(shapes):
        found = convert_open_clip_checkpoint(model, weights, prefix=TEXT_2)
    else:
        found = convert_ldm_clip_checkpoint(weights)
    # transformers 5.6 took the `text_model.` level out of CLIPTextModel.
    inner = "text_model." if hasattr(model, "text_model") else ""
    wanted = model.state_dict().keys()
    named = {inner + key.removeprefix("text_model."): value for key, value in found.items()}
    model.load_state_dict({key: value for key, value in named.items() if key in wanted})
    return model


def _tokenizer(beside: Path, second: bool) -> Any:
    from latentworld.worlds.load import tokenizer

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
    if second:
        words.pad_token = "!"  # SD 2 pads with word 0, SD 1 with the end token
    return words


def _scheduler(prediction: str) -> Any:
    from latentworld.worlds.load import scheduler_from

    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    return scheduler_from(betas | {"set_alpha_to_one": False, "prediction_type": prediction})


def _check(shapes: Shapes) -> None:
    if UNET + "input_blocks.0.0.weight" not in shapes or VAE + "post_quant_conv.weight" not in shapes:
        raise WorldDamaged("the file is no whole Stable Diffusion 1 or 2 checkpoint: UNet or autoencoder are missing")
    if not any(key.startswith((TEXT_1, TEXT_2)) for key in shapes):
        raise WorldDamaged("the file has no text encoder of Stable Diffusion 1 or 2: give a full checkpoint")
    channels = shapes[UNET + "input_blocks.0.0.weight"][1]
    if channels != 4:
        raise WorldMismatch(
            f"a UNet with {channels} input channels (inpainting?) starts from no plain latent: take another"
        )


def _is_second(shapes: Shapes) -> bool:
    return any(key.startswith(TEXT_2) for key in shapes)


def _context(shapes: Shapes) -> int:
    def keys() -> Iterator[int]:
        yield from (s[1] for key, s in shapes.items() if key.startswith(UNET) and key.endswith("attn2.to_k.weight"))

    return next(keys())
