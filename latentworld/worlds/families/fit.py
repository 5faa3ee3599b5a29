"""Whether the parts of a folder are of one model, and of this kind: asked of their configs, before a weight is read."""

from __future__ import annotations

import json
import re
from pathlib import Path

from latentworld.errors import WorldDamaged, WorldMismatch
from latentworld.worlds.card import number
from latentworld.worlds.families.family import Config, LatentFormat
from latentworld.worlds.layout import Folder

TWO = "these are parts of two models; copy or download one whole"
# schedules that noise in another way than a variance-preserving one: their models paint noise on ours
OTHER_SCHEDULES = re.compile(
    r"FlowMatch|EDM|KarrasVe|ScoreSde|SCMScheduler|CMStochastic|VQDiffusion|UnCLIP|Amused|Wuerstchen"
)
PLAIN_VAES = ("AutoencoderKL", "AutoencoderTiny")
CLIP_TEXT = ("clip_text_model", "clip")


def check(folder: Folder, latent: LatentFormat) -> None:
    """Raises WorldMismatch, one line that names the part, where one is of another kind or of another model."""
    check_latents(folder, latent)
    _check_text(folder)
    check_schedule(folder)


def check_latents(folder: Folder, latent: LatentFormat, classes: tuple[str, ...] = PLAIN_VAES) -> None:
    """Raises WorldMismatch where the VAE is none, or its latents are not these."""
    vae = folder.config("vae")
    check_vae(folder.path / "vae", vae, classes)
    if (mine := vae.get("latent_channels", 4)) != latent.channels:
        raise WorldMismatch(
            f"{folder.path}: its VAE has {mine} latent channels and its denoiser takes {latent.channels}: {TWO}"
        )


def vae_scale(vae: Config, usual: float) -> float:
    """What a VAE's latents are divided by, `usual` where its config does not say. Raises WorldDamaged for no number,
    and for 0."""
    if not (found := number(vae, "scaling_factor", usual)):
        raise WorldDamaged("the config.json of the model's VAE says scaling_factor = 0: copy or download it again")
    return found


def vae_shift(vae: Config) -> float:
    """What is added to them then. Raises WorldDamaged for no number."""
    return 0.0 if vae.get("shift_factor") is None else number(vae, "shift_factor", 0.0)


def check_vae(place: Path, vae: Config, classes: tuple[str, ...] = PLAIN_VAES) -> None:
    """Raises WorldMismatch for a VAE of a class that is not known, or that paints something else than red, green and
    blue. vae: its config; classes: those that are known here."""
    name = str(vae.get("_class_name", classes[0]))
    if name not in classes:
        raise WorldMismatch(f"{place} is of class {name}: give a world whose VAE is one of {', '.join(classes)}")
    if (colours := vae.get("out_channels", 3)) != 3:
        raise WorldMismatch(f"{place} paints {colours} channels: give a world whose VAE paints 3, red, green and blue")


def _check_text(folder: Folder) -> None:
    unet, words = folder.config("unet"), folder.config("text_encoder")
    kind = words.get("model_type", CLIP_TEXT[0])
    if kind not in CLIP_TEXT:
        raise WorldMismatch(f"{folder.path}: its text encoder is a {kind!r:.40}, where CLIP's is read: {TWO}")
    reads, gives = unet.get("cross_attention_dim", 1280), words.get("hidden_size", 512)
    if unet and words and isinstance(reads, int) and reads != gives:
        raise WorldMismatch(
            f"{folder.path}: its UNet reads text of width {reads} and its text encoder gives {gives}: {TWO}"
        )
    check_words(folder, "tokenizer", "text_encoder")


def check_words(folder: Folder, tokenizer: str, encoder: str) -> None:
    """Raises WorldMismatch where a tokenizer has more words than its text encoder knows."""
    words = folder.config(encoder)
    knows, last = words.get("vocab_size", 49408), _last_word(folder.path / tokenizer)
    if words and isinstance(knows, int) and last >= knows:
        raise WorldMismatch(
            f"{folder.path}: its {tokenizer} has words up to number {last} and its text encoder knows {knows}: {TWO}"
        )


def _last_word(tokenizer: Path) -> int:
    """The highest number of a word, -1 where that is not written in the old files."""
    numbers = [-1]
    for name in ("vocab.json", "added_tokens.json"):
        if (tokenizer / name).is_file():
            numbers += [number for number in _words(tokenizer / name) if isinstance(number, int)]
    return max(numbers)


def _words(file: Path) -> list[object]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []  # damaged: the tokenizer's loader says so
    return list(content.values()) if isinstance(content, dict) else []


def check_schedule(folder: Folder) -> None:
    """Raises WorldMismatch for a schedule that adds noise in another way."""
    schedule = folder.config("scheduler")
    name = str(schedule.get("_class_name", ""))
    if OTHER_SCHEDULES.search(name) or schedule.get("use_flow_sigmas"):
        raise WorldMismatch(
            f"{folder.path}: its schedule is a {name or 'flow'}, which adds noise in another way than Stable "
            f"Diffusion does: give it the scheduler's folder of the model it was made from"
        )
