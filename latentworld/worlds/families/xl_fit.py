"""Whether a folder is SDXL, and whether its parts are of one: asked of their configs, before a weight is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentworld.errors import WorldDamaged, WorldMismatch
from latentworld.worlds.families import fit
from latentworld.worlds.families.family import Config, LatentFormat
from latentworld.worlds.families.fit import TWO
from latentworld.worlds.layout import Folder

if TYPE_CHECKING:
    import torch

CELL = 8  # pixels per latent element, of every SDXL
ENCODERS = ("text_encoder", "text_encoder_2")
# of others that the pipeline's class may name: what it is given beside noise and text
PIPELINES = ("", "StableDiffusionXLPipeline", "LatentConsistencyModelPipeline", "DiffusionPipeline")
SD_SCALE = 0.18215  # of the VAE of Stable Diffusion 1 and 2, whose latents look alike and mean something else


def claims(folder: Folder) -> bool:
    """Whether this is SDXL, whole or not: by the UNet it has, else by the pipeline that its index names."""
    unet = folder.config("unet")
    if not unet:
        return folder.pipeline == "StableDiffusionXLPipeline"
    ends = unet.get("in_channels", 4), unet.get("out_channels", 4)
    return is_xl(unet) and ends == (4, 4) and (folder.pipeline in PIPELINES or not _known_otherwise(folder))


def is_xl(unet: Config) -> bool:
    """Whether a UNet is told sizes and a pooled prompt with the time, and nothing else."""
    others = ("class_embed_type", "num_class_embeds", "encoder_hid_dim", "encoder_hid_dim_type")
    return unet.get("addition_embed_type") == "text_time" and not any(unet.get(key) for key in others)


def check(folder: Folder, latent: LatentFormat) -> None:
    """Raises WorldDamaged where a part is missing, WorldMismatch where one is of another kind or model."""
    for part in ("unet", "vae", "scheduler", *ENCODERS):
        if not (folder.path / part).is_dir():
            why = "SDXL reads its prompt through two text encoders; " if part in ENCODERS else ""
            raise WorldDamaged(f"{folder.path / part} is missing: {why}copy or download the model again")
    fit.check_latents(folder, latent)
    _check_vae(folder, latent)
    _check_text(folder)
    fit.check_words(folder, "tokenizer", "text_encoder")
    fit.check_words(folder, "tokenizer_2", "text_encoder_2")
    fit.check_schedule(folder)


def vae_dtype(vae: Config, dtype: torch.dtype) -> torch.dtype:
    """float32 where the VAE says that float16 is too small for it, as SDXL's own says and its pipeline heeds."""
    import torch

    return torch.float32 if dtype == torch.float16 and vae.get("force_upcast", True) else dtype


def _known_otherwise(folder: Folder) -> bool:
    """Whether the pipeline's class says that it is given more than a prompt, or is another family's."""
    odd = ("Img2Img", "Inpaint", "ControlNet", "Adapter", "InstructPix2Pix", "Kolors", "AnimateDiff", "Upscale")
    return any(word in folder.pipeline for word in odd)


def _check_vae(folder: Folder, latent: LatentFormat) -> None:
    vae = folder.config("vae")
    if latent.cell != CELL:
        raise WorldMismatch(f"{folder.path}: its VAE's cells are {latent.cell} pixels wide and SDXL's {CELL}: {TWO}")
    if vae.get("_class_name", "AutoencoderKL") == "AutoencoderKL" and vae.get("scaling_factor", SD_SCALE) == SD_SCALE:
        raise WorldMismatch(
            f"{folder.path}: its VAE is scaled by {SD_SCALE}, as Stable Diffusion 1's is, where SDXL's is by 0.13025: "
            f"{TWO}"
        )
    if vae.get("latents_mean") or vae.get("latents_std"):
        raise WorldMismatch(f"{folder.path}: its VAE shifts each channel by itself, which SDXL's does not: {TWO}")


def _check_text(folder: Folder) -> None:
    unet, (first, second) = folder.config("unet"), (folder.config(name) for name in ENCODERS)
    for name, words in zip(ENCODERS, (first, second), strict=True):
        if (kind := words.get("model_type", fit.CLIP_TEXT[0])) not in fit.CLIP_TEXT:
            raise WorldMismatch(f"{folder.path}: its {name} is a {kind!r:.40}, where CLIP's is read: {TWO}")
    reads = unet.get("cross_attention_dim", 2048)
    widths = [words.get("hidden_size", usual) for words, usual in ((first, 768), (second, 1280))]
    gives = sum(width for width in widths if isinstance(width, int))
    if isinstance(reads, int) and reads != gives:
        raise WorldMismatch(
            f"{folder.path}: its UNet reads text of width {reads} and its text encoders give "
            f"{' + '.join(map(str, widths))}: {TWO}"
        )
    sizes, pooled = unet.get("addition_time_embed_dim", 256), second.get("projection_dim", 1280)
    takes = unet.get("projection_class_embeddings_input_dim", 2816)
    if isinstance(sizes, int) and isinstance(pooled, int) and takes != 6 * sizes + pooled:
        raise WorldMismatch(
            f"{folder.path}: its UNet takes a pooled prompt of width {takes} less 6 x {sizes} and text_encoder_2 gives "
            f"{pooled}: {TWO}"
        )
