"""Loading parts of a world with their own classes, not through a pipeline, which would import far more."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from latentworld.errors import WorldDamaged, WorldMismatch
from latentworld.worlds import files
from latentworld.worlds.card import read_json

if TYPE_CHECKING:
    import torch
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
    from diffusers.models.modeling_utils import ModelMixin
    from transformers.modeling_utils import PreTrainedModel
    from transformers.models.clip.tokenization_clip import CLIPTokenizer

ENCODER = ("encoder.", "quant_conv.")  # the half of an AutoencoderKL that decoding does not need
AUTOENCODERS = {
    "AutoencoderKL": "diffusers.models.autoencoders.autoencoder_kl",
    "AutoencoderTiny": "diffusers.models.autoencoders.autoencoder_tiny",
    "AutoencoderDC": "diffusers.models.autoencoders.autoencoder_dc",
    "AutoencoderKLFlux2": "diffusers.models.autoencoders.autoencoder_kl_flux2",
}


def pretrained(
    module: str, name: str, needless: tuple[str, ...] = ()
) -> Callable[[Path, torch.dtype], ModelMixin | PreTrainedModel]:
    """A loader of a diffusers or transformers model, by the module and the name of its class. needless: beginnings of
    weights that may be missing."""

    def load(folder: Path, dtype: torch.dtype) -> ModelMixin | PreTrainedModel:
        read_json(folder / "config.json")
        make = _class(module, name).from_pretrained
        return _whole(folder, lambda: make(folder, **_options(folder, dtype)), needless)

    return load


def autoencoder(folder: Path, dtype: torch.dtype) -> AutoencoderKL | AutoencoderTiny:
    """A VAE of the class that its config names (AutoencoderKL where it names none). Raises WorldMismatch."""
    name = str(read_json(folder / "config.json").get("_class_name", "AutoencoderKL"))
    if name not in AUTOENCODERS:
        raise WorldMismatch(f"{folder} is of class {name}: give a world whose VAE is one of {', '.join(AUTOENCODERS)}")
    if name != "AutoencoderKL":
        return pretrained(AUTOENCODERS[name], name)(folder, dtype)
    has_encoder = any(key.startswith(ENCODER[0]) for file in files.weights(folder) for key in files.header(file))
    vae = pretrained(AUTOENCODERS[name], name, ENCODER)(folder, dtype)
    return vae if has_encoder else without_encoder(vae)


def outline(module: str, name: str, folder: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights that a diffusers model's config asks for, made without memory for them (0.4 s for
    Stable Diffusion's UNet). Raises WorldDamaged for a config of which no model can be made."""
    import torch

    config = read_json(folder / "config.json")
    try:
        with torch.device("meta"), quiet():
            made = _class(module, name).from_config(config)
    except Exception as error:  # whatever a library makes of numbers that mean nothing
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        remedy = "copy or download the world again"
        raise WorldDamaged(f"{folder / 'config.json'} describes no model ({why:.120}): {remedy}") from error
    return {key: tuple(weight.shape) for key, weight in made.state_dict().items()}


def decoder_outline(folder: Path) -> dict[str, tuple[int, ...]]:
    """Those of a VAE's decoder; without its attention, which has had several names."""
    name = str(read_json(folder / "config.json").get("_class_name", "AutoencoderKL"))
    asked = outline(AUTOENCODERS[name], name, folder)
    return {key: shape for key, shape in asked.items() if not key.startswith(ENCODER) and ".attentions." not in key}


def without_encoder(vae: AutoencoderKL) -> AutoencoderKL:
    """A VAE that only decodes: a file may have left the other half out, which vertices from pictures alone need."""
    del vae.encoder, vae.quant_conv
    return vae


def tiny_vae(folder: Path, dtype: torch.dtype) -> AutoencoderTiny:
    """An AutoencoderTiny (TAESD and its kin) from its folder."""
    return pretrained(AUTOENCODERS["AutoencoderTiny"], "AutoencoderTiny")(folder, dtype)


def tokenizer(folder: Path, dtype: torch.dtype | None = None) -> CLIPTokenizer:
    """CLIP's tokenizer from a diffusers folder: vocab.json and merges.txt, or tokenizer.json."""
    from transformers.models.clip.tokenization_clip import CLIPTokenizer

    if not (folder / "tokenizer.json").is_file():
        for name in ("vocab.json", "merges.txt"):
            if not (folder / name).is_file():
                raise WorldDamaged(f"{folder / name} is missing: copy or download the world again")
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise WorldDamaged(f"{folder} cannot be read ({error}): copy or download the world again") from error


def scheduler_config(folder: Path, dtype: torch.dtype | None = None) -> dict[str, object]:
    """A scheduler's config, which a family makes its scheduler of."""
    return read_json(folder / "scheduler_config.json")


def _class(module: str, name: str) -> type[ModelMixin | PreTrainedModel]:
    found: type[ModelMixin | PreTrainedModel] = getattr(importlib.import_module(module), name)
    return found


def _options(folder: Path, dtype: torch.dtype) -> dict[str, object]:
    form = files.variant(files.weights(folder))
    return {
        "dtype": dtype, "use_safetensors": True, "local_files_only": True, "variant": form, "output_loading_info": True,
    }  # fmt: skip


def _whole(
    folder: Path,
    make: Callable[[], tuple[ModelMixin | PreTrainedModel, dict[str, list[str]]]],
    needless: tuple[str, ...] = (),
) -> ModelMixin | PreTrainedModel:
    """A model with every weight from its files; WorldDamaged names the folder otherwise."""
    try:
        model, info = make()
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WorldDamaged(f"{folder} cannot be loaded ({why}): copy or download the world again") from error
    missing = (key for key in info["missing_keys"] if not key.startswith(needless))
    lacking = sorted(key for key in missing if not key.endswith("position_ids"))
    if lacking:
        raise WorldDamaged(f"{folder} lacks {len(lacking)} weights ({lacking[0]}): copy or download the world again")
    return model


@contextlib.contextmanager
def quiet(imported: bool = False) -> Iterator[None]:
    """No progress bars and no advice from the libraries while a world is loaded; everything as it was afterwards.
    imported: of those alone that are imported already, where none will be within."""
    names = ("diffusers.utils.logging", "transformers.utils.logging")
    speakers = [importlib.import_module(name) for name in names if not imported or name in sys.modules]
    before = [(speaker.get_verbosity(), speaker.is_progress_bar_enabled()) for speaker in speakers]
    for speaker in speakers:
        speaker.set_verbosity_error()
        speaker.disable_progress_bar()
    try:
        yield
    finally:
        for speaker, (level, has_bars) in zip(speakers, before, strict=True):
            speaker.set_verbosity(level)
            if has_bars:
                speaker.enable_progress_bar()
