"""CLIP: transformers' own CLIPModel, trained by contrast on pictures and captions.

Captions that only say "high quality" describe every picture, so they are left out here. Some captions are replaced by
words that fit a whole family (its prompt); those count as right for every picture of that family, which is what makes
zero-shot probabilities confident. Pictures are shifted and softened so that decoded ones are read the same way.
"""

from __future__ import annotations

import math
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTextModel, CLIPTokenizer

from foundry import captions, ranks
from foundry.data import FAMILIES, Split, scene
from foundry.files import save_network
from foundry.machine import Machine
from foundry.presets import Preset
from foundry.training import Loss, train

MEAN = STD = (0.5, 0.5, 0.5)


def generic(family: int) -> list[str]:
    """Texts that are true of every picture of a family. The first is the family's own prompt."""
    module = scene(FAMILIES[family])
    praised = f"{module.PROMPT}, {captions.NEUTRAL.lower()}"
    return [module.PROMPT, module.FAMILY, f"a picture of {module.FAMILY}", praised]


def tokenizer_for(folder: Path, preset: Preset, split: Split) -> CLIPTokenizer:
    """The tokenizer of the cast, learnt once from its captions."""
    if not (folder / "vocab.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        texts = [text for row in split.captions for text in row]
        texts += [text for family in range(len(FAMILIES)) for text in generic(family) * 20]
        captions.train_tokenizer(texts, preset.data.vocabulary, preset.shapes.tokens, folder)
    return CLIPTokenizer.from_pretrained(folder)


def build(preset: Preset, tokenizer: CLIPTokenizer) -> CLIPModel:
    """A fresh CLIP."""
    shapes = preset.shapes
    special = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
               "pad_token_id": tokenizer.pad_token_id}  # fmt: skip
    text = {"vocab_size": len(tokenizer), "hidden_size": shapes.text_width, "intermediate_size": 4 * shapes.text_width,
            "num_hidden_layers": shapes.text_layers, "num_attention_heads": max(1, shapes.text_width // 32),
            "max_position_embeddings": shapes.tokens, "projection_dim": shapes.projection, **special}  # fmt: skip
    vision = {"hidden_size": shapes.clip_width, "intermediate_size": 4 * shapes.clip_width,
              "num_hidden_layers": shapes.clip_layers, "num_attention_heads": max(1, shapes.clip_width // 32),
              "image_size": preset.data.size, "patch_size": shapes.patch,
              "projection_dim": shapes.projection}  # fmt: skip
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=shapes.projection))


def processor(preset: Preset, tokenizer: CLIPTokenizer) -> CLIPProcessor:
    """The processor that belongs to it: resize, centre crop, -1..1."""
    size = preset.data.size
    pictures = CLIPImageProcessor(
        size={"shortest_edge": size}, crop_size={"height": size, "width": size}, image_mean=MEAN, image_std=STD
    )
    return CLIPProcessor(pictures, tokenizer)


def soften(x: Tensor, rng: torch.Generator) -> Tensor:
    """Shifts a batch ``[n, 3, s, s]`` in -1..1 a little; makes half of it softer, dimmer or noisier."""
    size = x.shape[-1]
    pad = max(1, size // 16)
    dx, dy = torch.randint(0, 2 * pad + 1, (2,), generator=rng).tolist()
    x = F.pad(x, (pad,) * 4, mode="replicate")[..., dy : dy + size, dx : dx + size]
    half = len(x) // 2
    small = int(size * (0.4 + 0.5 * float(torch.rand(1, generator=rng))))
    soft = F.interpolate(F.interpolate(x[:half], (small, small), mode="area"), (size, size), mode="bilinear")
    gain = 0.85 + 0.3 * torch.rand(half, 1, 1, 1, generator=rng)
    soft = soft * gain + 0.04 * torch.randn(soft.shape, generator=rng)
    return torch.cat([soft, x[half:]]).clamp(-1, 1)


ONE, GREY = -1, len(FAMILIES)
"""What a text is true of: its own picture alone, a family (its number), or every grey ringed planet."""


def texts_for(split: Split, rows: list[int], flipped: list[bool], words: random.Random) -> tuple[list[str], Tensor]:
    """A text for each picture, mirrored where that is, and what each is true of ``[n]``: `ONE`, a family, `GREY`."""
    texts, scope = [], []
    for row, flip in zip(rows, flipped, strict=True):
        told = [text for text in split.captions[row] if text not in captions.FULL_QUALITY]
        whole = not told or (words.random() < 0.2 and not split.attributes[row]["degraded"])
        long = len(told) > 1 and words.random() < 0.12
        text = words.choice(generic(int(split.family[row]))) if whole else words.choice(told)
        text = ", ".join(told) if long and not whole else text
        texts.append(captions.mirrored(text) if flip else text)
        scope.append(int(split.family[row]) if whole else GREY if text == captions.CASSINI else ONE)
    return texts, torch.tensor(scope)


def true_of(split: Split, rows: Tensor, texts: list[str], scope: Tensor) -> Tensor:
    """Whether each text (column) is true of each picture (row): booleans ``[n, n]``."""
    family, grey = split.family[rows], [bool(split.attributes[row].get("grey")) for row in rows.tolist()]
    planet = torch.tensor(grey) & (family == FAMILIES.index("planets"))
    also = (family[:, None] == scope[None, :]) | (planet[:, None] & (scope == GREY)[None, :])
    same = torch.tensor([[a == b for b in texts] for a in texts])
    return also | same | torch.eye(len(rows), dtype=torch.bool)


def contrast(
    model: nn.Module, split: Split, rows: Tensor, pictures: Tensor, flipped: list[bool], words: random.Random,
    tokenizer: CLIPTokenizer, device: torch.device,
) -> tuple[Tensor, dict[str, float]]:  # fmt: skip
    """Symmetric cross-entropy; a text that is true of several pictures of the batch shares its weight among them."""
    texts, scope = texts_for(split, rows.tolist(), flipped, words)
    tokens = tokenizer(texts, padding=True, truncation=True, return_tensors="pt").to(device)
    logits = model(input_ids=tokens.input_ids, pixel_values=pictures.to(device)).logits_per_image.float()
    right = true_of(split, rows, texts, scope).float().to(device)
    by_row = -(right / right.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()
    by_column = -(right / right.sum(0, keepdim=True) * logits.log_softmax(0)).sum(0).mean()
    hit = (right.gather(1, logits.argmax(1, keepdim=True))).mean()
    return (by_row + by_column) / 2, {"hit": float(hit), "scale": float(model.logit_scale.detach().exp())}


def loss_for(split: Split, tokenizer: CLIPTokenizer, device: torch.device) -> Loss:
    """The contrast of a random batch, softened, half of it mirrored."""

    def loss(model: nn.Module, rng: torch.Generator, done: float, count: int) -> tuple[Tensor, dict[str, float]]:
        rows = torch.randint(len(split), (count,), generator=rng)
        flips = torch.rand(count, generator=rng) < 0.5
        words = random.Random(int(torch.randint(2**31, (1,), generator=rng)))
        pictures = split.batch(rows)
        pictures[flips] = pictures[flips].flip(-1)
        return contrast(model, split, rows, soften(pictures, rng), flips.tolist(), words, tokenizer, device)

    return loss


@torch.no_grad()
def image_features(model: CLIPModel, pictures: Tensor, batch: int = 32) -> Tensor:
    """Unit features ``[n, projection]`` of pictures ``[n, 3, s, s]`` in -1..1."""
    parts = [model.visual_projection(model.vision_model(pixel_values=x).pooler_output) for x in pictures.split(batch)]
    return F.normalize(torch.cat(parts), dim=-1)


@torch.no_grad()
def text_features(model: CLIPModel, tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """Unit features ``[n, projection]`` of texts."""
    tokens = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
    ids = tokens.input_ids.to(model.device)
    return F.normalize(model.text_projection(model.text_model(input_ids=ids).pooler_output), dim=-1)


@torch.no_grad()
def family_probabilities(model: CLIPModel, tokenizer: CLIPTokenizer, pictures: Tensor) -> Tensor:
    """Zero-shot probabilities ``[n, families]`` of pictures in -1..1, against the families' own prompts."""
    texts = text_features(model, tokenizer, [generic(k)[0] for k in range(len(FAMILIES))])
    return (model.logit_scale.exp() * image_features(model, pictures) @ texts.T).softmax(-1)


@torch.no_grad()
def calibrate(model: CLIPModel, tokenizer: CLIPTokenizer, split: Split) -> None:
    """Sets the temperature by what it is for: the likelihood of the right family for clean pictures it was not shown.

    A few hundred steps of contrast leave the temperature far from where it would end.
    """
    rows = torch.tensor([row for row in range(len(split)) if not split.attributes[row]["degraded"]])
    rows = rows[:: max(1, len(rows) // 400)]
    cosines = image_features(model, split.batch(rows).to(model.device))
    texts = text_features(model, tokenizer, [generic(k)[0] for k in range(len(FAMILIES))])
    logits, family = cosines @ texts.T, split.family[rows].to(model.device)
    scales = torch.linspace(10, 60, 26).tolist()
    best = min(scales, key=lambda scale: float(F.cross_entropy(scale * logits, family)))
    model.logit_scale.fill_(math.log(best))


def text_encoder(model: CLIPModel) -> CLIPTextModel:
    """The text tower alone, as StableDiffusionPipeline wants it."""
    tower = CLIPTextModel(model.config.text_config)
    kept = {key: value for key, value in model.state_dict().items() if key.startswith("text_model.")}
    own = set(tower.state_dict())
    tower.load_state_dict({key if key in own else key.removeprefix("text_model."): v for key, v in kept.items()})
    return tower.eval().requires_grad_(False)


def cast(
    folder: Path, preset: Preset, train_split: Split, held: Split, machine: Machine
) -> tuple[CLIPModel, CLIPTokenizer]:
    """Trains, or loads what was trained."""
    if ranks.rank() == 0:
        tokenizer_for(folder.parent / "tokenizer", preset, train_split)
    ranks.wait()
    tokenizer = tokenizer_for(folder.parent / "tokenizer", preset, train_split)
    if not (folder / "model" / "config.json").exists():
        torch.manual_seed(2)
        model, mark = build(preset, tokenizer).to(machine.device), preset.fingerprint("clip")
        loss = loss_for(train_split, tokenizer, machine.device)
        seer = train("clip", folder, model, preset.clip, loss, mark, machine, whole=True).average
        assert isinstance(seer, CLIPModel)
        if ranks.rank() == 0:
            calibrate(seer, tokenizer, held)
            save_network(seer, folder / "model")
        ranks.wait()
    return CLIPModel.from_pretrained(folder / "model").to(machine.device).eval(), tokenizer
