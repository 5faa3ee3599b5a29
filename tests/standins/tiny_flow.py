"""Randomly initialised flow models in diffusers' layout: FLUX.1, FLUX.2 klein, Stable Diffusion 3, Z-Image.

`python -m standins.tiny_flow KIND FOLDER` writes one by hand, from `tests/`.
"""

from __future__ import annotations

import argparse
import atexit
import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2Transformer2DModel,
    FluxTransformer2DModel,
    SanaTransformer2DModel,
    SCMScheduler,
    SD3Transformer2DModel,
    ZImageTransformer2DModel,
)
from tokenizers import pre_tokenizers
from torch import Tensor, nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Gemma2Config,
    Gemma2Model,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from standins import tiny_world

WORDS, CLIP, POOLED = 80, 32, 24  # widths: of T5's words, of CLIP's, of the one vector of SD 3's CLIPs


def vae(**other: Any) -> AutoencoderKL:
    """16 channels of 8 pixels, scaled and shifted."""
    blocks = (8, 8, 8, 16)
    return AutoencoderKL(**{
        "block_out_channels": blocks, "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4, "layers_per_block": 1, "latent_channels": 16,
        "norm_num_groups": 8, "scaling_factor": 0.3611, "shift_factor": 0.1159, "sample_size": 64,
        "use_quant_conv": False, "use_post_quant_conv": False,
    } | other)  # fmt: skip


def _clip(words: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=words, hidden_size=CLIP, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2,
        max_position_embeddings=16, projection_dim=POOLED, bos_token_id=words - 2, eos_token_id=words - 1,
        pad_token_id=words - 1,
    )  # fmt: skip


def t5(folder: Path) -> T5EncoderModel:
    """T5's encoder, its tokenizer written to a folder."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(chr(code), -3.0) for code in range(33, 127)]
    T5Tokenizer(vocab=pieces, extra_ids=0).save_pretrained(folder)
    config = T5Config(
        vocab_size=len(pieces), d_model=WORDS, d_kv=16, d_ff=64, num_layers=2, num_heads=5, decoder_start_token_id=0,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    return T5EncoderModel(config)


def _flux(folder: Path, guided: bool) -> dict[str, nn.Module]:
    words = tiny_world.write_tokenizer(folder / "tokenizer", tiny_world.TINY)
    network = FluxTransformer2DModel(
        patch_size=1, in_channels=64, num_layers=1, num_single_layers=2, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=WORDS, pooled_projection_dim=CLIP, guidance_embeds=guided, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    first, second = CLIPTextModel(_clip(words)), t5(folder / "tokenizer_2")
    return {"transformer": network, "vae": vae(), "text_encoder": first, "text_encoder_2": second}


def _sd3(folder: Path) -> dict[str, nn.Module]:
    words = tiny_world.write_tokenizer(folder / "tokenizer", tiny_world.TINY)
    tiny_world.write_tokenizer(folder / "tokenizer_2", tiny_world.TINY, pad="!")
    network = SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=16, num_layers=2, attention_head_dim=8, num_attention_heads=4,
        joint_attention_dim=WORDS, caption_projection_dim=32, pooled_projection_dim=2 * POOLED, out_channels=16,
        pos_embed_max_size=16, qk_norm="rms_norm", dual_attention_layers=(0,),
    )  # fmt: skip
    return {
        "transformer": network, "vae": vae(scaling_factor=1.5305, shift_factor=0.0609),
        "text_encoder": CLIPTextModelWithProjection(_clip(words)),
        "text_encoder_2": CLIPTextModelWithProjection(_clip(words)), "text_encoder_3": t5(folder / "tokenizer_3"),
    }  # fmt: skip


def _chat(folder: Path, layers: int) -> Qwen3ForCausalLM:
    """Qwen 3 in small, its tokenizer (each byte a word) with a chat template written to the folder."""
    bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocab = {piece: row for row, piece in enumerate([*bytes_, *special])}
    tokenizer = Qwen2Tokenizer(vocab=vocab, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": special[1:]})
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder / "tokenizer")
    config = Qwen3Config(
        vocab_size=len(vocab), hidden_size=16, intermediate_size=32, num_hidden_layers=layers, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, max_position_embeddings=1024, tie_word_embeddings=True,
    )  # fmt: skip
    return Qwen3ForCausalLM(config)


def _klein(folder: Path) -> dict[str, nn.Module]:
    network = Flux2Transformer2DModel(
        patch_size=1, in_channels=128, num_layers=1, num_single_layers=2, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=48, timestep_guidance_channels=32, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=False,
    )  # fmt: skip
    own = AutoencoderKLFlux2(
        block_out_channels=(8, 8, 8, 16), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=1, norm_num_groups=8, sample_size=64,
    )  # fmt: skip
    own.bn.running_mean.normal_()
    own.bn.running_var.uniform_(0.5, 2.0)
    return {"transformer": network, "vae": own, "text_encoder": _chat(folder, 28)}


def _z_image(folder: Path) -> dict[str, nn.Module]:
    network = ZImageTransformer2DModel(
        in_channels=16, dim=32, n_layers=2, n_refiner_layers=1, n_heads=2, n_kv_heads=2, cap_feat_dim=16,
        axes_dims=[4, 6, 6], axes_lens=[1024, 64, 64],
    )  # fmt: skip
    nn.init.normal_(network.x_pad_token)
    nn.init.normal_(network.cap_pad_token)
    return {"transformer": network, "vae": vae(), "text_encoder": _chat(folder, 3)}


def _sprint(folder: Path) -> dict[str, nn.Module]:
    network = SanaTransformer2DModel(
        in_channels=32, out_channels=32, num_attention_heads=2, attention_head_dim=8, num_layers=2,
        num_cross_attention_heads=2, cross_attention_head_dim=8, cross_attention_dim=16, caption_channels=16,
        sample_size=2, guidance_embeds=True, qk_norm="rms_norm_across_heads",
    )  # fmt: skip
    blocks = (8, 8, 8, 8, 16, 32)
    own = AutoencoderDC(
        latent_channels=32, attention_head_dim=8, encoder_block_out_channels=blocks, decoder_block_out_channels=blocks,
        encoder_layers_per_block=(1,) * 6, decoder_layers_per_block=(1,) * 6, encoder_qkv_multiscales=((),) * 6,
        decoder_qkv_multiscales=((),) * 6, scaling_factor=0.41407,
    )  # fmt: skip
    words = _chat(folder, 1).config.vocab_size
    config = Gemma2Config(
        vocab_size=words, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, max_position_embeddings=4096, pad_token_id=0,
    )  # fmt: skip
    return {"transformer": network, "vae": own, "text_encoder": Gemma2Model(config)}


CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif %}"
)
DYNAMIC = {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15, "shift": 3.0}
KINDS: dict[str, tuple[Callable[[Path], dict[str, nn.Module]], str, dict[str, Any]]] = {
    "flux-dev": (functools.partial(_flux, guided=True), "FluxPipeline", DYNAMIC),
    "flux-schnell": (functools.partial(_flux, guided=False), "FluxPipeline", {"shift": 1.0}),
    "sd3": (_sd3, "StableDiffusion3Pipeline", {"shift": 3.0}),
    "sd3-dynamic": (_sd3, "StableDiffusion3Pipeline", DYNAMIC),
    "klein": (_klein, "Flux2KleinPipeline", DYNAMIC),
    "z-image": (_z_image, "ZImagePipeline", {"shift": 3.0}),
    "sana-sprint": (_sprint, "SanaSprintPipeline", {}),
}


def build(kind: str, folder: Path) -> Path:
    """Write one of KINDS."""
    make, pipeline, schedule = KINDS[kind]
    with tiny_world.seeded(13):
        parts = make(folder)
    index: dict[str, Any] = {"_class_name": pipeline, "_diffusers_version": "0.42.0"}
    for name, module in parts.items():
        module.save_pretrained(folder / name)  # type: ignore[operator]
        library = type(module).__module__.partition(".")[0]
        index[name] = [library, type(module).__name__]
    for tokenizer in sorted(path.name for path in folder.glob("tokenizer*")):
        said = json.loads((folder / tokenizer / "tokenizer_config.json").read_text())
        index[tokenizer] = ["transformers", said["tokenizer_class"]]
    make_schedule = SCMScheduler if kind == "sana-sprint" else FlowMatchEulerDiscreteScheduler
    make_schedule(**schedule).save_pretrained(folder / "scheduler")
    index["scheduler"] = ["diffusers", make_schedule.__name__]
    (folder / "model_index.json").write_text(json.dumps(index))
    (folder / "card.toml").write_text("size = 64\n")
    return folder


@functools.cache
def world(kind: str) -> Path:
    """One of KINDS, shared by a test run."""
    home = Path(tempfile.mkdtemp(prefix="tiny-flow-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return build(kind, home / kind)


def called(kind: str, pipe: Any, z: Tensor, negative: str) -> dict[str, Any]:
    """How a kind's pipeline is given latents `[n, C, H, W]` of ours, and what it takes of a negative text."""
    shape, n = z.shape[1:], len(z)
    cell = {"klein": 16, "sana-sprint": 32}.get(kind, 8)
    asked: dict[str, Any] = {"height": cell * shape[1], "width": cell * shape[2], "num_images_per_prompt": n}
    asked |= {"latents": z}
    if kind.startswith("flux"):
        return asked | {"latents": pipe._pack_latents(z, n, *shape)}
    if kind == "sana-sprint":
        return asked | {"use_resolution_binning": False}
    return asked if kind == "klein" else asked | {"negative_prompt": negative}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    print(build(asked.kind, asked.folder))
