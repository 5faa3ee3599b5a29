"""Samplers walked backwards: against closed forms, bisection, and the world's own pictures."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.decoders import PROMPT, latents, world

from latentworld.decoding import faithful_decoder, inverse, scout_decoder
from latentworld.errors import Cancelled, DecodeError, WorldMismatch
from latentworld.whiteness import whiteness
from latentworld.worlds.world import World

ANGLES = [math.radians(a) for a in np.linspace(90.0, 0.0, 21)]


@pytest.mark.parametrize("slope", [-0.8, 0.0, 0.9])
def test_a_linear_velocity_is_inverted_as_by_its_closed_form(slope: float) -> None:
    """v = a x + b: each step is x' = (cos - a sin) x - b sin, and its inverse is known."""
    rng = torch.Generator().manual_seed(1)
    offset = torch.randn(2, 4, 8, 8, generator=rng, dtype=torch.float64)
    clean = torch.randn(2, 4, 8, 8, generator=rng, dtype=torch.float64)
    found, known = clean, clean
    for before, after in zip(ANGLES[-2::-1], ANGLES[:0:-1], strict=True):
        delta = before - after
        found, residual = inverse.preimage(lambda x: slope * x + offset, found, delta, found, calls=24)
        known = (known + math.sin(delta) * offset) / (math.cos(delta) - slope * math.sin(delta))
        assert residual.max() < 1e-10
    assert float((found - known).abs().max()) < 1e-9


def mixture_velocity(x: torch.Tensor, angle: float) -> torch.Tensor:
    """The exact v of data that is an even mixture of N(-1, 0.3^2) and N(1.5, 0.5^2), in one dimension."""
    cos, sin = math.cos(angle), math.sin(angle)
    means, widths = (-1.0, 1.5), (0.3, 0.5)
    weights, guesses = [], []
    for mean, width in zip(means, widths, strict=True):
        variance = (cos * width) ** 2 + sin**2
        weights.append(torch.exp(-((x - cos * mean) ** 2) / (2 * variance)) / math.sqrt(variance))
        guesses.append(mean + cos * width**2 / variance * (x - cos * mean))
    x0 = (weights[0] * guesses[0] + weights[1] * guesses[1]) / (weights[0] + weights[1])
    return (cos * x - x0) / sin


def bisected(after: torch.Tensor, before: float, delta: float) -> torch.Tensor:
    low, high = torch.full_like(after, -30.0), torch.full_like(after, 30.0)
    for _ in range(80):
        middle = 0.5 * (low + high)
        is_low = inverse.turned(middle, mixture_velocity(middle, before), delta) < after
        low, high = torch.where(is_low, middle, low), torch.where(is_low, high, middle)
    return 0.5 * (low + high)


def test_a_mixture_is_inverted_as_by_bisection() -> None:
    found = known = torch.linspace(-1.8, 2.6, 12, dtype=torch.float64)[:, None, None, None]
    for before, after in zip(ANGLES[-2::-1], ANGLES[:0:-1], strict=True):
        delta = before - after
        found, _ = inverse.preimage(lambda x, a=before: mixture_velocity(x, a), found, delta, found, calls=60)  # type: ignore[misc]
        known = bisected(known, before, delta)
    assert float((found - known).abs().max()) < 1e-9


def test_one_call_is_the_naive_inversion() -> None:
    after = torch.randn(1, 4, 8, 8, dtype=torch.float64)
    found, _ = inverse.preimage(torch.tanh, after, 0.1, after, calls=1)
    torch.testing.assert_close(found, (after + math.sin(0.1) * torch.tanh(after)) / math.cos(0.1))


def test_a_picture_is_solved_without_its_mates() -> None:
    after = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    whole, residuals = inverse.preimage(torch.tanh, after, 0.2, after, calls=4)
    for row in range(3):
        alone, residual = inverse.preimage(torch.tanh, after[row : row + 1], 0.2, after[row : row + 1], calls=4)
        assert torch.equal(alone[0], whole[row])
        assert residual[0] == residuals[row]


@settings(max_examples=20, deadline=None)
@given(angle=st.floats(0.05, 1.5), seed=st.integers(0, 99))
def test_what_a_network_predicts_is_one_velocity(angle: float, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    x0, noise = (torch.randn(1, 2, 3, 3, generator=rng, dtype=torch.float64) for _ in range(2))
    sample = math.cos(angle) * x0 + math.sin(angle) * noise
    v = math.cos(angle) * noise - math.sin(angle) * x0
    for kind, said in (("v_prediction", v), ("epsilon", noise), ("sample", x0)):
        torch.testing.assert_close(inverse.velocity(said, sample, angle, kind), v)


def test_a_prediction_of_noise_says_nothing_of_pure_noise() -> None:
    sample = torch.zeros(1, 2, 3, 3)
    with pytest.raises(DecodeError, match=r"epsilon.*90\.000"):
        inverse.velocity(sample, sample, math.pi / 2, "epsilon")


@pytest.mark.parametrize("kind", ["embedded", "plain"])  # v at zero terminal SNR, trailing; epsilon, leading
def test_steps_in_angles_are_the_samplers_own(kind: str) -> None:
    decoder = faithful_decoder(world(kind), steps=7, guidance=1.0, batch=2)
    sampler = inverse.levels(decoder)
    sample = latents(2)
    known = decoder.clean(sample, PROMPT)
    conditioning = decoder.conditioning(PROMPT)
    said = str(decoder.scheduler.config["prediction_type"])
    for level in sampler:
        predicted = decoder.predict(sample, torch.tensor(level.time), conditioning)
        sample = inverse.turned(sample, inverse.velocity(predicted, sample, level.before, said), level.delta)
    torch.testing.assert_close(sample, known, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["embedded", "plain", "classic"])
def test_what_is_inverted_is_decoded_again(kind: str) -> None:
    """Of every kind of member: v with zero terminal SNR, epsilon, and attention of the original kind."""
    decoder = faithful_decoder(world(kind), steps=8, guidance=3.0, batch=2)
    clean = 0.7 * latents(2, seed=5)
    found = inverse.invert(decoder, clean, PROMPT, [0, 1], calls=6, white=0.0)
    assert found.path.shape == (9, 2, *decoder.shape)
    assert found.residuals.shape == (8, 2)
    again = inverse.unguided(decoder, 2).clean(found.start, PROMPT)
    naive = inverse.invert(decoder, clean, PROMPT, [0, 1], calls=1, white=0.0)
    lost = float((inverse.unguided(decoder, 2).clean(naive.start, PROMPT) - clean).norm())
    assert float((again - clean).norm()) < 0.5 * lost


def test_white_preimages_differ_by_their_seed_alone() -> None:
    decoder = faithful_decoder(world(), steps=6, guidance=1.0, batch=2)
    clean = latents(1, seed=3)
    one, same, other = (inverse.invert(decoder, clean, PROMPT, [seed]).start for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_watcher_ends_it() -> None:
    decoder = faithful_decoder(world(), steps=4, guidance=1.0)
    told = list[tuple[int, int]]()

    def watch(done: int, total: int) -> bool:
        told.append((done, total))
        return done < 3

    with pytest.raises(Cancelled):
        inverse.invert(decoder, latents(1), PROMPT, [0], watch=watch)
    assert told == [(1, 11), (2, 11), (3, 11)]
    assert inverse.calls_of(50) == 148


def test_a_sampler_that_draws_noise_is_refused() -> None:
    lcm = scout_decoder(replace(world(), student=None, few_step="lcm"), steps=2)
    with pytest.raises(DecodeError, match=r"'lcm' has no step that is walked backwards"):
        inverse.levels(lcm)


def test_half_precision_is_inverted_in_float32() -> None:
    half = world_in(torch.bfloat16)
    with pytest.raises(DecodeError, match="float32"):
        inverse.invert(faithful_decoder(half, steps=2), latents(1), PROMPT, [0])
    whole = half.in_float32()
    assert whole.in_float32() is whole
    found = inverse.invert(faithful_decoder(whole, steps=2), latents(1), PROMPT, [0])
    assert found.start.dtype == torch.float32
    assert half.denoiser.dtype == torch.bfloat16  # untouched


def world_in(dtype: torch.dtype) -> World:
    from standins import tiny_world

    from latentworld.worlds import load

    return load(tiny_world.folder("plain"), dtype=str(dtype).removeprefix("torch."))


def test_a_world_encodes_what_it_decodes() -> None:
    """The embedded world's autoencoder: a picture comes back, and the scale is the sampler's."""
    from latentworld.worlds import load

    embedded = load("embedded")
    noise = torch.randn(1, *embedded.shape, generator=torch.Generator().manual_seed(6))
    picture = faithful_decoder(embedded, steps=8, batch=1)(noise, PROMPT)
    clean = embedded.encode(picture)
    assert clean.shape == (1, *embedded.shape)
    again = faithful_decoder(embedded, steps=2, batch=1).paint(clean)
    assert float(((again - picture) ** 2).mean()) < 10**-2.5  # 25 dB
    assert torch.equal(embedded.encode(torch.cat([picture, 1 - picture]))[:1], clean)


def test_a_world_without_an_encoder_says_so() -> None:
    from torch import nn

    class DecoderOnly(nn.Module):
        pass

    lacking = replace(world(), vae=DecoderOnly())  # type: ignore[arg-type]
    assert not lacking.encodes
    with pytest.raises(WorldMismatch, match="no encoder"):
        lacking.encode(torch.zeros(1, 3, 64, 64))


def test_an_embedded_picture_is_reached_and_its_latent_is_white() -> None:
    """A picture the world makes: in few steps and without guidance it comes back within 1 dB of the autoencoder."""
    from latentworld.prompts import Prompt
    from latentworld.worlds import load

    embedded, prompt = load("embedded"), Prompt("High quality picture, 4k, detailed")
    decoder = faithful_decoder(embedded, steps=12, guidance=1.0, batch=1)
    seed = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(11))
    picture = decoder(seed, prompt)
    clean = embedded.encode(picture)
    found = inverse.invert(decoder, clean, prompt, [0])

    def loss(made: torch.Tensor) -> float:
        return -10 * math.log10(float(((made - picture) ** 2).mean()))

    assert loss(decoder(found.start, prompt)) > loss(decoder.paint(clean)) - 1.0  # and the rest is detail
    white = whiteness(found.start[0].double().numpy())
    assert abs(white.norm - 1) < 0.1
    assert abs(white.lag) < 0.15
