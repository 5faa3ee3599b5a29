"""The polish: the decoder trains on alone, the encoder and so all latents being finished.

It learns to bear what a teacher really leaves: half of its input are the teacher's own one-step pictures from little
noise. First by absolute error and edges; then a small PatchGAN (three convolutions, hinge loss) is let in slowly, to
give back the finest detail that an average loses. Of the GAN the decoder keeps the largest share at which it does not
ring (gate G5): the weights of the autoencoder's decoder and of the polished one are mixed ("network interpolation",
Wang et al., ESRGAN, 1809.00219, section 3.4). Of the second cast the whole of it drew every edge a fifth too strong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from torch.func import functional_call

from foundry import gates, ranks
from foundry.autoencoder import edge_error, look_for
from foundry.data import Split
from foundry.diffusion import scheduler
from foundry.encoded import chunks
from foundry.files import save_network
from foundry.machine import Machine
from foundry.presets import Preset
from foundry.texts import text_for
from foundry.training import Loss, train
from foundry.unet import Ground
from foundry.weights import State
from latentworld.disk import put

ANSWERS = 4000
LATEST = 250  # the largest time from which the teacher's one-step pictures are taken
ALONE, FULL = 0.4, 0.6  # of the budget: no GAN up to here, all of it from here
MOST = 0.5  # weight of the GAN's gradient at the last layer, over that of the error's
SHARES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15)  # of the polished decoder in the mix; the first that meets G5 is taken


@dataclass(frozen=True)
class Answers:
    """Latents ``float16 [k, c, h, w]`` as the teacher leaves them, and of which row of the split each is."""

    latents: Tensor
    rows: Tensor


@torch.no_grad()
def answers(folder: Path, teacher: UNet2DConditionModel, ground: Ground, count: int) -> Answers:
    """The teacher's one-step pictures of noised pictures, at times up to `LATEST`, made once."""
    schedule, machine = scheduler(), ground.machine
    rows = torch.linspace(0, len(ground.split) - 1, min(count, len(ground.split))).long()

    def make(start: int, stop: int) -> Tensor:
        rng = torch.Generator().manual_seed(start)
        x0 = ground.latents[rows[start:stop]].float()
        noise, t = torch.randn(x0.shape, generator=rng), torch.randint(LATEST, (len(x0),), generator=rng)
        picks = (0.2 + 0.8 * torch.rand(len(x0), generator=rng)).tolist()
        prompts = [text_for(ground.split, row, p) for row, p in zip(rows[start:stop].tolist(), picks, strict=True)]
        x = schedule.add_noise(x0, noise, t).to(machine.device)
        with machine.autocast():
            v = teacher(x, t.to(machine.device), ground.texts(prompts).to(machine.device)).sample.float()
        bar = schedule.alphas_cumprod[t].view(-1, 1, 1, 1).to(machine.device)
        return bar.sqrt() * x - (1 - bar).sqrt() * v

    return Answers(chunks(folder, len(rows), 64, machine, make, "answers"), rows)


class Critic(nn.Module):
    """A PatchGAN: ``[n, 3, h, w]`` to a score of every patch of 16 pixels."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.GroupNorm(8, 2 * width), nn.LeakyReLU(0.2), nn.Conv2d(2 * width, 1, 3, 1, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Scores ``[n, 1, h / 4, w / 4]``."""
        scores: Tensor = self.layers(x)
        return scores


class Studio(nn.Module):
    """The decoder and its critic, trained together."""

    def __init__(self, vae: AutoencoderKL, critic: Critic) -> None:
        super().__init__()
        self.post_quant_conv, self.decoder, self.critic = vae.post_quant_conv, vae.decoder, critic

    def forward(self, latents: Tensor) -> Tensor:
        """Pictures in -1..1 of unscaled latents."""
        pictures: Tensor = self.decoder(self.post_quant_conv(latents))
        return pictures.float()


def adversary(studio: Studio, real: Tensor, made: Tensor, error: Tensor) -> tuple[Tensor, Tensor]:
    """Hinge losses of the decoder, weighted so that its gradient at the last layer is `MOST` of that of ``error``,
    and of the critic. Each moves only its own weights."""
    frozen = {name: p.detach() for name, p in studio.critic.named_parameters()}
    fool = -functional_call(studio.critic, frozen, (made,)).mean()
    last = studio.decoder.conv_out.weight
    (by_error,) = torch.autograd.grad(error, last, retain_graph=True)
    (by_critic,) = torch.autograd.grad(fool, last, retain_graph=True)
    weight = (MOST * by_error.norm() / by_critic.norm().clamp(min=1e-8)).clamp(max=10).detach()
    judge = F.relu(1 - studio.critic(real)).mean() + F.relu(1 + studio.critic(made.detach())).mean()
    return weight * fool, judge


def loss_for(ground: Ground, given: Answers, preset: Preset, scaling: float) -> Loss:
    """Absolute error and edges of crops, half of them of the teacher's answers; from `ALONE` on with the critic."""
    device, factor = ground.machine.device, preset.shapes.factor
    half = max(1, preset.side // 2)

    def loss(model: nn.Module, rng: torch.Generator, done: float, count: int) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(model, Studio)
        own = torch.randint(len(given.rows), (count,), generator=rng)
        rows = torch.where(
            torch.arange(count) % 2 == 0, given.rows[own], torch.randint(len(ground.split), (count,), generator=rng)
        )
        latents = torch.where(
            (torch.arange(count) % 2 == 0).view(-1, 1, 1, 1), given.latents[own], ground.latents[rows]
        )
        y, x = torch.randint(0, preset.side - half + 1, (2,), generator=rng).tolist()
        z = latents.float()[..., y : y + half, x : x + half].to(device) / scaling
        real = ground.split.batch(rows)[..., factor * y : factor * (y + half), factor * x : factor * (x + half)].to(
            device
        )
        made = model(z)
        error = F.l1_loss(made, real) + 0.5 * edge_error(made, real)
        figures = {"psnr": float(-10 * torch.log10(F.mse_loss(made, real).detach() / 4))}
        if done < ALONE:
            return error + 0.0 * model.critic(made.detach()).mean(), figures
        fool, judge = adversary(model, real, made, error)
        ramp = min(1.0, (done - ALONE) / (FULL - ALONE))
        return error + ramp * fool + judge, {**figures, "judge": float(judge.detach())}

    return loss


def figures_of(vae: AutoencoderKL, held: Split, machine: Machine) -> dict[str, float]:
    """G5's figures on held-out pictures."""
    return gates.autoencoder_figures(vae, held.batch(look_for(held, 20)).to(machine.device))


def mixed(own: State, polished: State, share: float) -> State:
    """Weights between two decoders': at ``share`` 0 ``own``, at 1 ``polished``."""
    if not share:
        return own  # a polish that went astray is multiplied by nothing, not by 0
    return {name: torch.lerp(value, polished[name], share) for name, value in own.items()}


def cast(folder: Path, preset: Preset, ground: Ground, teacher: UNet2DConditionModel, held: Split) -> AutoencoderKL:
    """The autoencoder with a polished decoder: trained, or loaded."""
    machine, model = ground.machine, folder / "model"
    if not (model / "config.json").exists():
        given = answers(folder / "answers", teacher, ground, ANSWERS)
        torch.manual_seed(6)
        vae = AutoencoderKL.from_pretrained(folder.parent / "autoencoder" / "model").to(machine.device)
        scaling, mark = float(vae.config.scaling_factor), preset.fingerprint("polish")
        loss = loss_for(ground, given, preset, scaling)
        studio = Studio(vae, Critic()).to(machine.device).requires_grad_(True)
        run = train("polish", folder, studio, preset.polish, loss, mark, machine)
        if ranks.rank() == 0:
            _choose(folder, vae, run.average, held, machine)
        ranks.wait()
    return AutoencoderKL.from_pretrained(model).to(machine.device).eval()


def _choose(folder: Path, vae: AutoencoderKL, last: nn.Module, held: Split, machine: Machine) -> None:
    """Saves the decoder with as much of its polish as meets G5, without any if no share does, and says why."""
    assert isinstance(last, Studio)
    unpolished = AutoencoderKL.from_pretrained(folder.parent / "autoencoder" / "model").to(machine.device)
    own, polished = (dict(studio.state_dict()) for studio in (Studio(unpolished, last.critic), last))
    mix = Studio(vae.eval(), last.critic)
    found: dict[float, dict[str, float]] = {}
    for share in (*SHARES, 0.0):
        mix.load_state_dict(mixed(own, polished, share))
        found[share] = figures_of(vae, held, machine)
        if all(goal.met(found[share][name]) for name, goal in gates.G5.items()):
            break
    machine.log(f"of the polish a share of {share:g} is kept: the largest that meets G5, or none")
    for line in gates.verdict(found[share], gates.G5):
        machine.log(line)
    put(folder / "choice.json", json.dumps({"share": share, "figures": found}, indent=2).encode())
    save_network(vae, folder / "model")
