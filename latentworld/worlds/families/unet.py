"""A diffusers UNet as a module of plain tensors that any engine can run, trace or compile.

The denoiser computes exactly what the diffusers UNet computes on a guided batch, but nothing twice. Under guidance the
pipeline runs every latent with the negative and with the positive prompt; until the first block that attends to the
prompt both rows are the same, and every row of one prompt has the same keys and values. On the embedded world's UNet
this saves 1 of 8 multiplications. The plain UNet stays as the slow twin (`lean=False`); a test compares them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from diffusers.models.attention_processor import Attention
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


class SharedText:
    """Attention whose text may have fewer rows than the pictures: keys and values are made once a text, then shared.

    With as many rows of text as of pictures it is what diffusers' AttnProcessor2_0 is.
    """

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """Tokens `[rows, n, width]`, text `[texts, m, width']` with rows a multiple of texts -> `[rows, n, width]`."""
        rows, count, _ = hidden_states.shape
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states

        def heads(tokens: Tensor) -> Tensor:
            texts, length, width = tokens.shape
            split = tokens.view(texts, length, attn.heads, width // attn.heads).transpose(1, 2)
            return split if texts == rows else split.repeat_interleave(rows // texts, dim=0)

        query, key, value = heads(attn.to_q(hidden_states)), heads(attn.to_k(source)), heads(attn.to_v(source))
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return attn.to_out[0](mixed.transpose(1, 2).reshape(rows, count, -1))  # type: ignore[no-any-return]


class Denoiser(nn.Module):
    """One UNet evaluation of a batch under one prompt."""

    def __init__(self, unet: UNet2DConditionModel, guidance_embedding: Tensor | None = None, lean: bool = True) -> None:
        super().__init__()
        self.unet = unet
        self.lean = lean and is_plain(unet)
        self.register_buffer("guidance_embedding", guidance_embedding, persistent=False)
        if self.lean:
            unet.set_attn_processor(SharedText())

    def forward(self, sample: Tensor, time: Tensor, text: Tensor) -> Tensor:
        """Latents `[b, C, H, W]`, time `[1]`, text `[rows, tokens, width]` -> predictions `[rows x b, C, H, W]`."""
        if self.lean:
            return self._lean(sample, time, text)
        rows, batch = len(text), len(sample)
        out: Tensor = self.unet(
            sample.repeat(rows, 1, 1, 1),
            time,
            encoder_hidden_states=text.repeat_interleave(batch, dim=0),
            timestep_cond=self._condition(batch * rows),
            return_dict=False,
        )[0]
        return out

    def _condition(self, rows: int) -> Tensor | None:
        known: Tensor | None = self.guidance_embedding  # type: ignore[assignment]
        return None if known is None else known.expand(rows, -1)

    def _lean(self, sample: Tensor, time: Tensor, text: Tensor) -> Tensor:
        unet, rows = self.unet, text.shape[0]
        moment = unet.time_embedding(unet.get_time_embed(sample=sample[:1], timestep=time), self._condition(1))
        sample = unet.conv_in(sample)
        skips = [sample]
        shared = True  # all rows are still the same: no block has looked at the text yet
        for block in unet.down_blocks:
            if shared and _attends(block):
                sample, skips = sample.repeat(rows, 1, 1, 1), [skip.repeat(rows, 1, 1, 1) for skip in skips]
                shared = False
            more = {"encoder_hidden_states": text} if _attends(block) else {}
            sample, made = block(hidden_states=sample, temb=moment, **more)
            skips += made
        more = {"encoder_hidden_states": text} if _attends(unet.mid_block) else {}
        sample = unet.mid_block(sample, moment, **more)
        for block in unet.up_blocks:
            count = len(block.resnets)
            more = {"encoder_hidden_states": text} if _attends(block) else {}
            taken, skips = tuple(skips[-count:]), skips[:-count]
            sample = block(hidden_states=sample, temb=moment, res_hidden_states_tuple=taken, **more)
        out: Tensor = unet.conv_out(unet.conv_act(unet.conv_norm_out(sample)))
        return out


def _attends(block: nn.Module) -> bool:
    return bool(getattr(block, "has_cross_attention", False))


def is_plain(unet: UNet2DConditionModel) -> bool:
    """Whether a UNet is of the plain Stable Diffusion kind that `_lean` retraces; others take the library's forward."""
    config = unet.config
    absent = ("class_embed_type", "addition_embed_type", "encoder_hid_dim_type", "time_embedding_act_fn")
    side = config.sample_size if isinstance(config.sample_size, int) else 0
    return (
        not any(config.get(key) for key in absent)
        and not config.get("num_class_embeds")
        and not config.get("center_input_sample")
        and not config.get("dual_cross_attention")
        and side % 2**unet.num_upsamplers == 0
        and unet.mid_block is not None
        and unet.conv_norm_out is not None
        and any(_attends(block) for block in unet.down_blocks)
        and all(type(processor).__name__ in ("AttnProcessor2_0", "SharedText") for processor in _processors(unet))
        and all(_is_plain_attention(layer) for layer in unet.modules() if type(layer).__name__ == "Attention")
    )


def _processors(unet: UNet2DConditionModel) -> list[object]:
    return list(unet.attn_processors.values())


def _is_plain_attention(layer: Attention) -> bool:
    odd = (layer.spatial_norm, layer.group_norm, layer.norm_cross, layer.norm_q, layer.norm_k)
    return not any(odd) and not layer.residual_connection and layer.rescale_output_factor == 1


def guidance_embedding(weight: float, width: int) -> Tensor:
    """The sinusoidal embedding `[1, width]` of the guidance weight that a latent consistency UNet takes."""
    half = width // 2
    rates = torch.exp(torch.arange(half, dtype=torch.float32) * -(torch.log(torch.tensor(10000.0)) / (half - 1)))
    angles = weight * 1000.0 * rates[None]
    embedding = torch.cat([angles.sin(), angles.cos()], dim=1)
    return functional.pad(embedding, (0, width % 2))
