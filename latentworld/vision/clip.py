"""CLIP as an eye: pictures to unit feature vectors, and words to probabilities."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentworld import texts
from latentworld.decoding import batches, engines
from latentworld.deferred import Deferred
from latentworld.device import torch_dtype
from latentworld.errors import DecodeError, NotFinite, WorldDamaged, WorldMismatch
from latentworld.transfer import landed, uploaded
from latentworld.vision.eye import Classifier
from latentworld.worlds import HubRef, fetch, files, lexicon, locate
from latentworld.worlds.parts import quiet, tokenizer

if TYPE_CHECKING:
    from transformers.models.clip.modeling_clip import CLIPModel

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)  # the processor's own defaults
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
SUGGESTED = "openai/clip-vit-large-patch14"


@dataclass(frozen=True)
class Optics:
    """How a CLIP model wants its pictures: its preprocessor_config.json. Sizes in pixels."""

    edge: int
    crop: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, pictures: Tensor) -> Tensor:
        """`[n, 3, h, w]` in 0..1 -> `[n, 3, *crop]` normalised, where the pictures are: CLIPImageProcessor in floats.

        The library's processor rounds to 8 bits on the way; here nothing is rounded, since steps between neighbouring
        frames are far below 1/255 (a test holds them together to 2/255).
        """
        height, width = pictures.shape[-2:]
        short = min(height, width)
        if short != self.edge:
            size = [self.edge * height // short, self.edge * width // short]
            resized = functional.interpolate(pictures, size=size, mode="bicubic", antialias=True, align_corners=False)
            pictures = resized.clamp(0, 1)
        top, left = ((there - wanted) // 2 for there, wanted in zip(pictures.shape[-2:], self.crop, strict=True))
        pictures = pictures[..., top : top + self.crop[0], left : left + self.crop[1]]
        mean, std = (_colour(values, pictures.device, pictures.dtype) for values in (self.mean, self.std))
        return (pictures - mean) / std


@functools.lru_cache(maxsize=32)
def _colour(values: tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """A number a channel `[3, 1, 1]`, brought to the device once."""
    return torch.tensor(values, dtype=dtype, device=device).view(3, 1, 1)


class Gaze(nn.Module):
    """CLIP's image tower: normalised pictures `[b, 3, h, w]` -> unit features `[b, F]`."""

    def __init__(self, clip: CLIPModel) -> None:
        super().__init__()
        self.tower = clip.vision_model
        self.projection = clip.visual_projection

    def forward(self, pictures: Tensor) -> Tensor:
        pooled = self.tower(pixel_values=pictures).pooler_output
        # One product a row: as one matrix product of b rows, a row's rounding depends on its place (6 rows, 2 threads).
        weight = self.projection.weight.t().expand(len(pooled), -1, -1)
        features = torch.bmm(pooled.unsqueeze(1), weight).squeeze(1)
        return functional.normalize(features, dim=-1)


class ClipEye:
    """An Eye made of any CLIPModel folder or hub name. Final."""

    def __init__(
        self,
        source: str | Path,
        device: str = "cpu",
        dtype: str = "float32",
        batch: int = 8,
        engine: str = "eager",
    ) -> None:
        """Raises WorldMissing, WorldDamaged, UnsafeWeights, or WorldMismatch for a model that is no CLIP."""
        folder = find_clip(source)
        self.source = str(source)
        self.digest = files.digest(files.weights(folder), folder)
        self.optics = _optics(folder)
        self.device, self.dtype = torch.device(device), torch_dtype(dtype)
        self.batch, self.engine = batch, engine
        self._folder = folder
        self._projection = _json(folder / "config.json").get("projection_dim")
        self._clip = Deferred(lambda: _load(folder, self.dtype).to(self.device).eval().requires_grad_(False))
        self._gaze: Deferred[nn.Module] = Deferred(lambda: Gaze(self._clip()))
        if engine != "openvino" or not isinstance(self._projection, int):
            self._clip()  # what cannot be loaded is said now; an engine that has it converted needs none
        self._run: engines.Run | None = None

    @property
    def dimension(self) -> int:
        said = self._projection
        return said if isinstance(said, int) else int(self._clip().config.projection_dim)

    def __call__(self, pictures: Tensor) -> Tensor:
        """Unit features as the contract has it. Raises DecodeError for anything but `[n, 3, h, w]`, and NotFinite."""
        if pictures.ndim != 4 or pictures.shape[1] != 3:
            raise DecodeError(f"pictures of shape {tuple(pictures.shape)} cannot be seen: give [n, 3, height, width]")
        made = batches.in_batches(pictures, self.batch, self._look)
        return torch.empty(0, self.dimension, device=pictures.device) if made is None else made

    def batched(self, batch: int) -> ClipEye:
        """The same eye for other batches; the networks are shared."""
        other = copy.copy(self)
        other.batch, other._run = batch, None
        return other

    def _look(self, pictures: Tensor) -> Tensor:
        with torch.no_grad():
            seen = self.optics(uploaded(pictures, self.device, torch.float32)).to(self.dtype)
        if self._run is None:
            self._run = engines.build(self.engine, self._gaze, (seen,), f"{self.digest}/clip")
        features = functional.normalize(self._run(seen).float(), dim=-1)  # again: half leaves lengths 1e-3 off
        if pictures.device.type != "cpu":
            return features.to(pictures.device)
        features, is_fine = landed(features, features.isfinite().all())
        if not is_fine:
            raise NotFinite(
                f"the eye {self.source} sees numbers that are no features (NaN or infinite): use another eye.clip"
            )
        return features

    def texts(self, words: Sequence[str]) -> Tensor:
        """Unit features of texts; what is past the tokens that the model reads is cut off."""
        read = tokenizer(self._folder)
        clip = self._clip()
        limit = clip.config.text_config.max_position_embeddings
        tokens = read(list(words), padding="max_length", max_length=limit, truncation=True, return_tensors="pt")
        tokens = tokens.to(self.device)
        with torch.inference_mode():
            out = clip.text_model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
            return functional.normalize(clip.text_projection(out.pooler_output).float(), dim=-1).cpu()

    def reading(self, text: str) -> tuple[list[str], list[str]] | None:
        """Words of a text that mean something to this eye, and those that mean nothing; None where it reads all."""
        return lexicon.reading(self._folder, text)

    def labels(self, words: Sequence[str]) -> Classifier:
        """A zero-shot classifier: features `[n, F]` -> probabilities `[n, len(words)]` over these texts."""
        texts = self.texts(words)
        with torch.inference_mode():
            scale = float(self._clip().logit_scale.exp())

        def probabilities(features: Tensor) -> Tensor:
            return (scale * features.float() @ texts.T).softmax(dim=-1)

        return probabilities


def find_clip(source: str | Path) -> Path:
    """The folder of a CLIP model, its weight files whole as their headers have it; none is read. Raises as ClipEye."""
    found = locate(source, noun="CLIP")
    if isinstance(found, HubRef):
        folder = fetch(found, marker="config.json", parts=("",))
    elif found.is_file():
        raise WorldMismatch(f"{found} is a single file: give a CLIPModel folder or a hub name such as {SUGGESTED}")
    else:
        folder = found / "clip" if (found / "clip" / "config.json").is_file() else found
    kind = _json(folder / "config.json").get("model_type")
    if kind != "clip":
        raise WorldMismatch(f"{folder} is no CLIP model (its config says {kind!r}): give a folder of a CLIPModel")
    files.weights(folder)
    return folder


def _load(folder: Path, dtype: torch.dtype) -> CLIPModel:
    from transformers.models.clip.modeling_clip import CLIPModel

    try:
        with quiet():
            model, info = CLIPModel.from_pretrained(
                folder, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WorldDamaged(f"{folder} cannot be loaded ({why}): copy or download it again") from error
    lacking = sorted(key for key in info["missing_keys"] if not key.endswith("position_ids"))
    if lacking:
        raise WorldMismatch(f"{folder} lacks {len(lacking)} weights of a CLIP model ({lacking[0]}): give another one")
    return model


def _optics(folder: Path) -> Optics:
    settings = _processor(folder)
    size, crop = settings.get("size", 224), settings.get("crop_size", 224)
    edge = size if isinstance(size, int) else size.get("shortest_edge", size.get("height", 224))
    inner = (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"])
    mean, std = settings.get("image_mean", OPENAI_MEAN), settings.get("image_std", OPENAI_STD)
    return Optics(int(edge), inner, tuple(mean), tuple(std))


def _processor(folder: Path) -> dict[str, Any]:
    """The image processor's settings: a file of its own, or since transformers 5 a part of the processor's."""
    joint = folder / "processor_config.json"
    if joint.is_file() and not (folder / "preprocessor_config.json").is_file():
        return dict(_json(joint).get("image_processor") or {})
    return _json(folder / "preprocessor_config.json")


def _json(path: Path) -> dict[str, Any]:
    try:
        return texts.table(texts.read(path))
    except OSError as error:
        raise WorldMismatch(f"{path} is missing: give a folder that CLIPModel reads, with {path.name}") from error
    except ValueError as error:
        raise WorldDamaged(f"{path} cannot be read ({error}): copy or download it again") from error
