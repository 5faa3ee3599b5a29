"""The keys of a checkpoint in the layout of the original Stable Diffusion code, and the other names they go by."""

from __future__ import annotations

import re
from collections.abc import Iterable

UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model."
FIRST, LAST, LABELS = UNET + "input_blocks.0.0.weight", UNET + "out.2.weight", UNET + "label_emb."
PAINTS, BEGINS = VAE + "post_quant_conv.weight", VAE + "decoder.conv_in.weight"
V_PREDICTION, ZERO_SNR = (
    "v_pred",
    "ztsnr",
)  # empty tensors: how it predicts, that it ends in pure noise
QUANTISED = re.compile(r"(^|\.)(scaled_fp8|scale_weight|weight_scale(_2)?|scale_input|qweight|absmax|comfy_quant)$")

_ATTENTION = {"to_q": "q", "query": "q", "to_k": "k", "key": "k", "to_v": "v", "value": "v", "to_out.0": "proj_out",
              "proj_attn": "proj_out", "group_norm": "norm"}  # fmt: skip
_OTHERS = (
    (r"^cond_stage_model\.transformer\.(?!text_model\.)", "cond_stage_model.transformer.text_model."),  # older tools
    (r"^vae\.(?=(en|de)coder\.|(post_)?quant_conv\.)", VAE),  # newer ones
    *(
        (rf"^(first_stage_model\.(?:en|de)coder\.mid\.attn_1)\.{re.escape(name)}\.", rf"\1.{ours}.")
        for name, ours in _ATTENTION.items()
    ),
)


def canonical(keys: Iterable[str]) -> dict[str, str]:
    """The keys as the original code has them, and as the file has them; what is under its own name goes first."""
    there = list(keys)
    named = {_canonical(key): key for key in there}
    return named | {key: key for key in there if key in named}


def _canonical(key: str) -> str:
    for pattern, ours in _OTHERS:
        key = re.sub(pattern, ours, key)
    return key
