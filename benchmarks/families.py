"""How far each family's pictures are from its own diffusers pipeline: families x folder, file, LoRA, tiny decoder, few
steps, samplers.

    python benchmarks/families.py

Tiny models with random weights in the standard layouts, built from configs (tests/standins), float32, eager: largest
difference of any pixel, in 255ths. Two pictures each, one of them past the shell. What a scheduler of diffusers draws
between steps is replaced by the function of the start that takes its place here. LoRA: of all layers of attention, at
strength .5, added to the pipeline's weights by hand. Exit code 1 above 1.
"""

from __future__ import annotations

import copy
import importlib
import re
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from common import show
from diffusers import AutoencoderTiny
from safetensors.torch import save_file
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from standins import original_keys, tiny_flow, tiny_world, tiny_xl

from latentworld import worlds
from latentworld.decoding import faithful_decoder
from latentworld.decoding.samplers import SAMPLERS, TCD_GAMMA, noise_of
from latentworld.decoding.sampling import Sampling
from latentworld.decoding.settings import LoraSettings
from latentworld.prompts import Prompt
from latentworld.worlds import World
from latentworld.worlds.few_step import MEMBERS

PROMPT = Prompt("a cat, 4k", "blurry, ugly")
STEPS, GUIDANCE = 4, 4.0


@dataclass(frozen=True)
class Row:
    """A family: its tiny folder, its file where there is one, what its few-step members are called, and whether other
    samplers go along its schedule."""

    title: str
    kind: str
    folder: Path
    file: Path | None = None
    few: tuple[str, ...] = ()
    samplers: bool = False


def rows(home: Path) -> list[Row]:
    """All families."""
    second = tiny_world.build(home / "sd2", shape=tiny_world.SECOND, prediction="epsilon", extras=False)
    (home / "one").mkdir()
    file = original_keys.second_file(home / "one", worlds.load(second))
    first = Row(
        "Stable Diffusion 1", "sd", tiny_world.folder("classic"), original_keys.classic_file(home), ("hyper",), True
    )
    return [
        first,
        Row("Stable Diffusion 2", "sd", second, file, ("turbo",), True),
        Row("SDXL", "xl", tiny_xl.world(), tiny_xl.world("file"), ("turbo", "lightning", "hyper", "dmd2", "tcd"), True),
        Row("Stable Diffusion 3", "sd3", tiny_flow.world("sd3"), None, ("flow_turbo",)),
        Row("FLUX.1 dev", "flux-dev", tiny_flow.world("flux-dev")),
        Row("FLUX.1 schnell", "flux-schnell", tiny_flow.world("flux-schnell"), None, ("schnell",)),
        Row("FLUX.2 klein", "klein", tiny_flow.world("klein"), None, ("klein",)),
        Row("Z-Image", "z-image", tiny_flow.world("z-image"), None, ("z_turbo",)),
        Row("SANA-Sprint", "sana-sprint", tiny_flow.world("sana-sprint"), None, ("sprint",)),
    ]


class Truth:
    """A family's pipeline, called with our latents."""

    def __init__(self, row: Row, **parts: torch.nn.Module) -> None:
        """parts: in place of the model's own."""
        from diffusers import DiffusionPipeline

        self.kind, self.prompt = row.kind, replace(PROMPT, negative="") if row.kind == "klein" else PROMPT
        self.pipe = DiffusionPipeline.from_pretrained(row.folder, dtype=torch.float32, **parts)
        self.pipe.set_progress_bar_config(disable=True)

    def __call__(self, z: Tensor, guidance: float, sampler: str, sampling: Sampling, **steps: Any) -> Tensor:
        """Pictures under one of our samplers; steps: as the pipeline takes them."""
        entry, pipe = SAMPLERS[sampler], copy.copy(self.pipe)
        module = importlib.import_module(f"diffusers.schedulers.{entry.module}")
        said = {**entry.options, **sampling.options} | (
            {"timestep_spacing": sampling.spacing} if sampling.spacing else {}
        )
        pipe.scheduler = getattr(module, entry.name).from_config(pipe.scheduler.config, **said)
        asked = self._called(z) | {"prompt": self.prompt.positive, "output_type": "pt"} | steps
        asked["guidance_scale"] = guidance - 1 if self.kind == "z-image" else guidance  # where 0 is none
        if sampler == "tcd":
            asked["eta"] = TCD_GAMMA
        if not entry.renoises:
            return pipe(**asked).images  # type: ignore[no-any-return]
        with patch.object(module, "randn_tensor", lambda *a, **b: noise_of(z, pipe.scheduler.step_index + 1)):
            return pipe(**asked).images  # type: ignore[no-any-return]

    def _called(self, z: Tensor) -> dict[str, Any]:
        if self.kind in ("sd", "xl"):
            height, width = 8 * z.shape[2], 8 * z.shape[3]
            return {"latents": z, "num_images_per_prompt": len(z), "height": height, "width": width,
                    "negative_prompt": self.prompt.negative}  # fmt: skip
        return tiny_flow.called(self.kind, self.pipe, z, self.prompt.negative)


def latents(world: World) -> Tensor:
    """Two of a world's latents, one past the shell."""
    z = torch.randn(2, *world.shape, generator=torch.Generator().manual_seed(1))
    return z * torch.tensor([1.0, 1.5]).view(2, 1, 1, 1)


def apart(world: World, truth: Truth, sampler: str = "", sampling: Sampling | None = None, **options: Any) -> float:
    """Largest difference in 255ths. options: `steps`, `guidance`, and how the pipeline is told of its steps."""
    steps, guidance = options.pop("steps", STEPS), options.pop("guidance", GUIDANCE)
    z, sampling = latents(world), sampling or Sampling()
    base = faithful_decoder(world, steps=steps, guidance=guidance, batch=2)
    loras = options.pop("loras", ())
    decoder = base.variant(replace(base.settings, sampler=sampler, sampling=sampling, loras=loras))
    spacing = sampling.spacing or decoder.recipe.made.spacing if not sampler else sampling.spacing
    known = spacing if spacing in SAMPLERS[decoder.profile.sampler].spacings else ""
    theirs = truth(z, guidance, decoder.profile.sampler, replace(sampling, spacing=known), **_steps(steps, options))
    return float((decoder(z, truth.prompt) - theirs).abs().max() * 255)


def _steps(steps: int, options: dict[str, Any]) -> dict[str, Any]:
    return {"num_inference_steps": steps} | options


def of_files(row: Row, truth: Truth) -> tuple[str, str]:
    """Folder and file."""
    options = _options(row, STEPS)
    folder = apart(worlds.load(row.folder), truth, **options)
    file = None if row.file is None else apart(worlds.load(row.file), truth, **options)
    return f"{folder:.4f}", "-" if file is None else f"{file:.4f}"


def _options(row: Row, steps: int) -> dict[str, Any]:
    return {"intermediate_timesteps": 1.3 if steps == 2 else None} if row.kind == "sana-sprint" else {}


def of_lora(row: Row, truth: Truth) -> str:
    """A LoRA of all layers of attention, which must be seen."""
    world, name = worlds.load(row.folder), "transformer" if hasattr(truth.pipe, "transformer") else "unet"
    network, drawn, held = copy.deepcopy(getattr(truth.pipe, name)), torch.Generator().manual_seed(3), {}
    for layer, module in network.named_modules():
        if isinstance(module, torch.nn.Linear) and re.search("attn|attention", layer):
            sizes = (2, module.in_features), (module.out_features, 2)
            down, up = (0.3 * torch.randn(*size, generator=drawn) for size in sizes)
            held |= {f"{name}.{layer}.lora_A.weight": down, f"{name}.{layer}.lora_B.weight": up}
            module.weight.data += 0.5 * up @ down
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "lora.safetensors")
        save_file(held, file)
        loras = (LoraSettings(str(file), 0.5),)
        styled = Truth(row, **{name: network})
        found = apart(world, styled, loras=loras, **_options(row, STEPS))
        unlike = apart(world, truth, loras=loras, **_options(row, STEPS))
    assert unlike > 1.0, f"{row.title}: its pictures are as without a LoRA"
    return f"{found:.4f}"


def of_tiny(row: Row, truth: Truth) -> str:
    """A tiny decoder in place of the model's own."""
    if row.kind in ("klein", "sana-sprint"):  # whose VAE is of another build
        return "-"
    drawn = torch.random.get_rng_state()
    torch.manual_seed(4)
    tiny = AutoencoderTiny(
        latent_channels=truth.pipe.vae.config.latent_channels, encoder_block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8), num_encoder_blocks=(1, 1, 1, 1), num_decoder_blocks=(1, 1, 1, 1),
    )  # fmt: skip
    torch.random.set_rng_state(drawn)
    with torch.no_grad():  # else it paints black
        for layer in tiny.decoder.modules():
            if isinstance(layer, torch.nn.Conv2d):
                layer.weight *= 2
        layer.bias += 0.5  # type: ignore[operator]
    with tempfile.TemporaryDirectory() as folder:
        tiny.save_pretrained(folder)
        world = worlds.load(row.folder, vae=folder)
    found, unlike = (apart(world, other, **_options(row, STEPS)) for other in (Truth(row, vae=tiny), truth))
    assert unlike > 1.0, f"{row.title}: its pictures are as by its own decoder"
    return f"{found:.4f}"


def of_few(row: Row, truth: Truth) -> str:
    """The few-step members: as many steps as each is made for, its own sampler and times."""
    found = []
    for name in row.few:
        member = MEMBERS[name]
        world = replace(worlds.load(row.folder), few_step=name)
        for steps in member.steps:
            options = _options(row, steps) | {"steps": steps, "guidance": member.guidance}
            if member.sampler == "lcm":
                even = [round(1000 - 1000 * index / steps) - 1 for index in range(steps)]
                times = list(member.times.get(steps, even))
                options |= {"timesteps": times, "num_inference_steps": None}
            found.append(apart(world, truth, **options))
    return f"{max(found):.4f}" if found else "-"


def of_samplers(row: Row, truth: Truth) -> str:
    """Every sampler of its noise, each of its spacings, with and without Karras' levels."""
    if not row.samplers:
        return "-"
    world, found = worlds.load(row.folder), []
    for name, sampler in SAMPLERS.items():
        if sampler.noise != "diffusion":
            continue
        for spacing in ("", *sampler.spacings):
            for karras in (None, True) if sampler.karras else (None,):
                told = name == "lcm" and spacing == "trailing"
                more = {"timesteps": [999, 749, 499, 249], "num_inference_steps": None} if told else {}
                found.append(apart(world, truth, name, Sampling(spacing, karras), **more))
    return f"{max(found):.4f} ({len(found)})"


def main() -> int:
    """Print the table; 1 where any cell is above 1/255."""
    warnings.simplefilter("ignore")
    parts: tuple[Callable[[Row, Truth], str], ...] = (of_lora, of_tiny, of_few, of_samplers)
    with tempfile.TemporaryDirectory() as folder:
        table = []
        for row in rows(Path(folder)):
            truth = Truth(row)
            table.append((row.title, *of_files(row, truth), *(part(row, truth) for part in parts)))
    columns = ("family", "folder", "one file", "LoRA", "tiny decoder", "few steps", "samplers (cases)")
    notes = ["Asked: at most 1. -: none of that kind (no single file is known, or one sampler is what a flow has)."]
    show("Largest difference from the family's own diffusers pipeline, in 255ths", columns, table, notes)
    return int(any(float(cell.split()[0]) > 1 for _, *cells in table for cell in cells if cell != "-"))


if __name__ == "__main__":
    raise SystemExit(main())
