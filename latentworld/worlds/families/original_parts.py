"""The parts of a checkpoint in the layout of the original Stable Diffusion code: configs from shapes, and modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latentworld.errors import WorldDamaged, WorldMismatch
from latentworld.worlds.families.original_names import BEGINS, PAINTS, UNET, VAE
from latentworld.worlds.parts import ENCODER, without_encoder

if TYPE_CHECKING:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers.models.clip.modeling_clip import CLIPTextModel

Shapes = Mapping[str, tuple[int, ...]]
OPEN_CLIP_WIDTH = 1024


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


def has_vae(shapes: Shapes) -> bool:
    """Whether a checkpoint brings a VAE, its decoder at least."""
    return PAINTS in shapes or BEGINS in shapes


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
    told = shapes.get(UNET + "time_embed.cond_proj.weight")
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
        "time_cond_proj_dim": None if told is None else told[1],
    }


def vae_config(shapes: Shapes) -> dict[str, object]:
    """AutoencoderKL's config from the shapes of an original checkpoint."""
    stem = VAE + "decoder.up."  # not the encoder's: some files leave that out, since nothing here is encoded
    blocks = len({key.split(".")[3] for key in shapes if key.startswith(stem)})
    layers = len({key.split(".")[5] for key in shapes if key.startswith(stem + "0.block.")}) - 1
    return {
        "block_out_channels": [shapes[f"{stem}{row}.block.0.conv1.weight"][0] for row in range(blocks)],
        "layers_per_block": layers,
        "latent_channels": shapes[PAINTS][0] if PAINTS in shapes else shapes[BEGINS][1],
        "use_post_quant_conv": PAINTS in shapes,
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


def skeleton(kind: Kind, shapes: Shapes, part: str) -> Shapes:
    """The shapes of the weights of `unet` or `text_encoder`, as their libraries call them; of another part none."""
    import torch
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel

    with torch.device("meta"):  # which holds no numbers
        if part == "unet":
            network: torch.nn.Module = UNet2DConditionModel(**unet_config(shapes, 64))
        elif part == "text_encoder":
            network = CLIPTextModel(CLIPTextConfig(**text_config(kind, shapes)))
        else:
            return {}
    return {name: tuple(weight.shape) for name, weight in network.named_parameters()}


def load_unet(weights: dict[str, torch.Tensor], shapes: Shapes, side: int) -> UNet2DConditionModel:
    return load_unet_as(weights, unet_config(shapes, side))


def load_unet_as(weights: dict[str, torch.Tensor], config: dict[str, object]) -> UNet2DConditionModel:
    """A UNet of this config out of a checkpoint. Raises WorldMismatch where it has weights that such a one has not."""
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    model, found = UNet2DConditionModel(**config), convert_ldm_unet_checkpoint(weights, config)
    taken = {id(tensor) for tensor in found.values()}
    left = [key for key, tensor in weights.items() if key.startswith(UNET) and id(tensor) not in taken]
    if left:
        raise WorldMismatch(
            f"its UNet has {len(left)} weights that Stable Diffusion's has not ({left[0]:.80}): give the model it was "
            f"made from"
        )
    model.load_state_dict(found)
    return model


def load_vae(
    weights: dict[str, torch.Tensor], shapes: Shapes, said: Mapping[str, object] | None = None
) -> AutoencoderKL:
    """A VAE out of a checkpoint. said: of its config, what shapes do not tell. Raises WorldDamaged."""
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    config = vae_config(shapes) | dict(said or {})
    model = AutoencoderKL(**config)
    lacking, odd = model.load_state_dict(convert_ldm_vae_checkpoint(weights, config), strict=False)
    needed = [key for key in lacking if not key.startswith(ENCODER)]
    if needed or odd:
        raise WorldDamaged(f"its VAE lacks {len(needed)} weights and has {len(odd)} unknown ({[*needed, *odd][0]})")
    return without_encoder(model) if lacking else model


def load_text(kind: Kind, weights: dict[str, torch.Tensor], shapes: Shapes) -> CLIPTextModel:
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
