"""The teacher: diffusers' UNet2DConditionModel on cached latents, conditioned on the frozen text tower of our CLIP.

Several shapes are first trained for equal minutes (gate G2); the one with the smallest held-out loss trains on from
where it came to, the cheapest of those within 1%.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn

from foundry import autoencoder, captions, gates, ladder, ranks
from foundry.clip import generic
from foundry.data import FAMILIES, Split
from foundry.diffusion import sample, scheduler, signal_of, times
from foundry.errors import FoundryError
from foundry.files import save_network
from foundry.machine import Machine
from foundry.presets import Preset
from foundry.scenes.canvas import sheet
from foundry.texts import Texts, text_for
from foundry.training import Look, Loss, Run, Watch, note, train
from latentworld.disk import put

CLOSE = 1.01  # losses within so much of the best are equal, and the cheapest shape wins
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Ground:
    """What teacher and student are trained on and judged by.

    `latents` are ``float16`` and twice as many as `split` has pictures, the mirrored ones last; `held` and `seen` are
    some held-out and some training pictures for the gates.
    """

    split: Split
    latents: Tensor
    vae: AutoencoderKL
    texts: Texts
    held: ladder.Pictures
    seen: ladder.Pictures
    machine: Machine


def build(preset: Preset, channels: Shape) -> UNet2DConditionModel:
    """A fresh UNet. Text is attended at the middle level and below it; the largest level is convolutions only."""
    text = [0 < level < max(2, len(channels) - 1) for level in range(len(channels))]
    return UNet2DConditionModel(
        sample_size=preset.side,
        in_channels=preset.shapes.channels,
        out_channels=preset.shapes.channels,
        block_out_channels=channels,
        down_block_types=tuple("CrossAttnDownBlock2D" if t else "DownBlock2D" for t in text),
        up_block_types=tuple("CrossAttnUpBlock2D" if t else "UpBlock2D" for t in reversed(text)),
        layers_per_block=preset.shapes.unet_layers,
        cross_attention_dim=preset.shapes.text_width,
        attention_head_dim=tuple(width // preset.shapes.head for width in channels),
        norm_num_groups=16,
    )


def some(split: Split, latents: Tensor, count: int) -> ladder.Pictures:
    """``count`` clean pictures of a split, evenly over the families, each with a caption that says what it is."""
    clean = [row for row in range(len(split)) if not split.attributes[row]["degraded"]]
    rows = clean[:: max(1, len(clean) // count)][:count]
    told = [next((t for t in split.captions[row] if t not in captions.FULL_QUALITY), "") for row in rows]
    return ladder.Pictures(latents[rows], told)


def loss_for(ground: Ground) -> Loss:
    """Squared error of v."""
    schedule, device = scheduler(), ground.machine.device
    signals = signal_of(schedule)

    def loss(model: nn.Module, rng: torch.Generator, done: float, count: int) -> tuple[Tensor, dict[str, float]]:
        rows = torch.randint(len(ground.latents), (count,), generator=rng)
        picks = torch.rand(count, generator=rng).tolist()
        told = ground.texts([text_for(ground.split, row, pick) for row, pick in zip(rows.tolist(), picks, strict=True)])
        x0 = ground.latents[rows].float()
        noise, t = torch.randn(x0.shape, generator=rng), times(count, rng, signals)
        x, v = schedule.add_noise(x0, noise, t), schedule.get_velocity(x0, noise, t)
        out = model(x.to(device), t.to(device), told.to(device)).sample.float()
        return F.mse_loss(out, v.to(device)), {}

    return loss


def look_with(ground: Ground, preset: Preset) -> Look:
    """A sheet: two rows of neutral pictures, then a row a family."""
    families = [generic(k)[0] for k in range(len(FAMILIES))]
    prompts = [p for p in [captions.NEUTRAL, captions.NEUTRAL, *families] for _ in range(preset.columns)]
    noise = torch.randn(len(prompts), *preset.shape, generator=torch.Generator().manual_seed(5))

    def look(unet: nn.Module) -> Tensor:
        assert isinstance(unet, UNet2DConditionModel)
        given = (prompts, noise.to(ground.machine.device), ground.machine, preset.guidance, 12)
        x = sample(unet, ground.texts, *given)
        pictures = torch.cat([autoencoder.decode(ground.vae, part) for part in x.split(10)]).float()
        return sheet(pictures.cpu(), preset.columns * 2)

    return look


def figures_of(unet: nn.Module, ground: Ground) -> dict[str, float]:
    """G3's figures: the ladder, held-out losses, and their mean over that of training pictures."""
    assert isinstance(unet, UNet2DConditionModel)
    held = ladder.losses(unet, ground.texts, ground.held, ground.machine)
    seen = ladder.losses(unet, ground.texts, ground.seen, ground.machine)
    spread = slice(None, None, max(1, len(ground.held.captions) // 32))  # families lie one after the other
    few = ladder.Pictures(ground.held.latents[spread], ground.held.captions[spread])
    rungs = ladder.ladder(unet, ground.vae, ground.texts, few, ground.machine, guidance=1.0)
    rungs |= ladder.ladder(unet, ground.vae, ground.texts, few, ground.machine)
    return {**rungs, **held, "held over train": ladder.mean_loss(held) / ladder.mean_loss(seen)}


def choose(found: dict[Shape, tuple[float, int]]) -> Shape:
    """Of shapes with their held-out loss and the steps they took in equal time: the best, or the cheapest as good."""
    best = min(loss for loss, _ in found.values())
    return max((shape for shape, (loss, _) in found.items() if loss <= best * CLOSE), key=lambda shape: found[shape][1])


def bake_off(folder: Path, preset: Preset, ground: Ground) -> Shape:
    """Trains every shape for equal minutes and returns the winner; its weights are left as the teacher's start."""
    path = folder / "winner.json"
    if not path.exists():
        found: dict[Shape, tuple[float, int]] = {}
        runs: dict[Shape, Run] = {}
        for shape in preset.shapes.unets:
            torch.manual_seed(3)
            name, model = "-".join(map(str, shape)), build(preset, shape).to(ground.machine.device)
            mark, loss = f"{preset.fingerprint('bakeoff')}/{name}", loss_for(ground)
            runs[shape] = train(f"bake-off {name}", folder / name, model, preset.bakeoff, loss, mark, ground.machine)
            if ranks.rank() == 0:
                figures = figures_of(runs[shape].average, ground)
                note(folder / name, runs[shape], figures, "G2")
                held = {key: value for key, value in figures.items() if key.startswith("loss")}
                found[shape] = (sum(held.values()) / len(held), runs[shape].step)
        if ranks.rank() == 0:
            winner = choose(found)
            best = runs[winner].average
            assert isinstance(best, UNet2DConditionModel)
            save_network(best, folder / "start")
            rows = {"-".join(map(str, shape)): {"loss": loss, "steps": steps} for shape, (loss, steps) in found.items()}
            put(path, json.dumps({"winner": winner, "shapes": rows}, indent=2).encode())
        ranks.wait()
    told = tuple(json.loads(path.read_text())["winner"])
    if told not in preset.shapes.unets:
        raise FoundryError(f"{path} names {told}, which this preset does not try: delete {folder}")
    return told


def chosen(out: Path, preset: Preset) -> Shape | None:
    """The shape of a cast's teacher, as far as it is known: the only one, that of its weights, or the bake-off's."""
    if len(preset.shapes.unets) == 1:
        return preset.shapes.unets[0]
    for path, key in ((out / "unet" / "shape.json", "block_out_channels"), (out / "bakeoff" / "winner.json", "winner")):
        if path.exists():
            return tuple(json.loads(path.read_text())[key])
    return None


def begin(folder: Path, preset: Preset, ground: Ground) -> UNet2DConditionModel:
    """The UNet that training starts from: a kept or adopted one, the bake-off's winner, or a fresh one of the only
    shape. Its configuration is written to ``shape.json``."""
    shapes, start, kept = preset.shapes.unets, folder / "start", folder / "start" / "unet.json"
    if kept.exists():
        model = UNet2DConditionModel.from_config(json.loads(kept.read_text())["config"])
    elif (start / "config.json").exists() or len(shapes) > 1:
        if not (start / "config.json").exists():
            bake_off(folder.parent / "bakeoff", preset, ground)
            start = folder.parent / "bakeoff" / "start"
        model = UNet2DConditionModel.from_pretrained(start)
    else:
        torch.manual_seed(3)
        model = build(preset, shapes[0])
    if tuple(model.config.block_out_channels) not in shapes or model.config.in_channels != preset.shapes.channels:
        raise FoundryError(f"{start} is of another size than preset {preset.name!r}: adopt with its own")
    folder.mkdir(parents=True, exist_ok=True)
    if ranks.rank() == 0:
        put(folder / "shape.json", model.to_json_string().encode())
    return model.train().requires_grad_(True).to(ground.machine.device)


def best_average(run: Run, ground: Ground, folder: Path) -> UNet2DConditionModel:
    """Of the averages the one that climbs the ladder best, whose figures are noted last (`keeping` tells of those)."""
    found = {decay: figures_of(average, ground) for decay, average in run.averages.items()}
    order = sorted(found, key=lambda decay: found[decay]["unguided 199"] + found[decay]["unguided 399"])
    for decay in order:
        note(folder, run, {"decay": decay, **found[decay]}, "G3")
        for line in gates.verdict(found[decay], gates.G3):
            ground.machine.log(f"average {decay:g}: {line.strip()}")
    best = run.averages[order[-1]]
    assert isinstance(best, UNet2DConditionModel)
    return best


def cast(folder: Path, preset: Preset, ground: Ground) -> UNet2DConditionModel:
    """Trains, or loads what was trained."""
    machine = ground.machine
    if not (folder / "model" / "config.json").exists():
        model, mark = begin(folder, preset, ground), preset.fingerprint("unet")
        watch = Watch(look_with(ground, preset), lambda unet: figures_of(unet, ground), gate_every=3600.0)
        run = train("unet", folder, model, preset.unet, loss_for(ground), mark, machine, watch)
        if ranks.rank() == 0:
            save_network(best_average(run, ground, folder), folder / "model")
        ranks.wait()
    return UNet2DConditionModel.from_pretrained(folder / "model").to(machine.device).eval()
