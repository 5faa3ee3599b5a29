"""Each sampler is the diffusers scheduler of its name on the pipeline's loop, and a picture is its place's alone."""

from __future__ import annotations

import copy
import functools
import importlib
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from hypothesis import given
from hypothesis import strategies as st
from standins import tiny_world
from standins.decoders import PROMPT, latents, world
from torch import Tensor

from latentworld import worlds
from latentworld.decoding import faithful_decoder
from latentworld.decoding.diffusion import Diffusion
from latentworld.decoding.samplers import SAMPLERS, SPACINGS, TCD_GAMMA, noise_of
from latentworld.decoding.sampling import Sampling
from latentworld.decoding.settings import DecoderSettings, DecoderSpec, SamplerName, resolve
from latentworld.device import Choice
from latentworld.errors import PresetError

pytestmark = [pytest.mark.usefixtures("own_cache"), pytest.mark.filterwarnings("ignore:__array__ implementation")]
DIFFUSION = [name for name, sampler in SAMPLERS.items() if sampler.noise == "diffusion"]
CASES = [
    (name, spacing, karras)
    for name in DIFFUSION
    for spacing in ("", *SAMPLERS[name].spacings)
    for karras in ((None, True) if SAMPLERS[name].karras and spacing in ("", "trailing") else (None,))
]


@functools.cache
def pipeline(kind: str) -> Any:
    pipe = StableDiffusionPipeline.from_pretrained(tiny_world.folder(kind), dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def decoder(kind: str, sampler: str, sampling: Sampling, steps: int = 4, batch: int = 2) -> Diffusion:
    made = faithful_decoder(world(kind), steps=steps, guidance=5.0, batch=batch)
    return made.variant(replace(made.settings, sampler=sampler, sampling=sampling))


def theirs(kind: str, sampler: str, sampling: Sampling, z: Tensor, monkeypatch: Any, **options: Any) -> Tensor:
    """The pipeline's pictures, its scheduler's draws replaced by our function of the start."""
    entry, pipe = SAMPLERS[sampler], copy.copy(pipeline(kind))
    module = importlib.import_module(f"diffusers.schedulers.{entry.module}")
    said = {**entry.options, **sampling.options} | ({"timestep_spacing": sampling.spacing} if sampling.spacing else {})
    pipe.scheduler = getattr(module, entry.name).from_config(pipe.scheduler.config, **said)
    if entry.renoises:
        options["eta"] = TCD_GAMMA  # else the pipeline says 0
        monkeypatch.setattr(module, "randn_tensor", lambda *a, **b: noise_of(z, pipe.scheduler.step_index + 1))
    asked = {"prompt": PROMPT.positive, "negative_prompt": PROMPT.negative, "guidance_scale": 5.0, "latents": z}
    steps = {"num_inference_steps": 4}
    if sampler == "lcm" and sampling.spacing == "trailing":
        steps = {"timesteps": [999, 749, 499, 249], "num_inference_steps": None}  # type: ignore[dict-item]
    images: Tensor = pipe(**asked, **steps, num_images_per_prompt=len(z), output_type="pt", **options).images
    return images


@pytest.mark.parametrize("kind", ["plain", "embedded"])
@pytest.mark.parametrize(("sampler", "spacing", "karras"), CASES)
def test_a_sampler_is_diffusers_own(
    kind: str, sampler: str, spacing: str, karras: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prediction of noise with a schedule that never ends in it, and of v with one that does."""
    z, sampling = latents(2), Sampling(spacing, karras)
    made = decoder(kind, sampler, sampling)
    assert (made.profile.sampler, made.profile.sampling) == (sampler, str(sampling))
    assert (made(z, PROMPT) - theirs(kind, sampler, sampling, z, monkeypatch)).abs().max() < 1 / 255


@pytest.mark.parametrize("sampler", DIFFUSION)
def test_a_sampled_picture_is_the_same_bytes_in_any_slot_and_after_any_other(sampler: str) -> None:
    """Also of samplers that keep what was predicted before (DPM-Solver++, UniPC), or that draw."""
    z, sampling = latents(3), Sampling()
    made = decoder("plain", sampler, sampling, batch=3)
    together = made(z, PROMPT)
    torch.manual_seed(5)  # nothing is drawn from the global generator
    assert torch.equal(together.flip(0), made(z.flip(0), PROMPT))
    assert torch.equal(together[1:2], made(z[1:2], PROMPT))
    assert torch.equal(together, decoder("plain", sampler, sampling, batch=3)(z, PROMPT))


@pytest.mark.parametrize("share", [0.3, 0.7, 1.0])
def test_guidance_rescale_is_the_pipelines(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    z, sampling = latents(2), Sampling(rescale=share)
    ours = decoder("embedded", "ddim", sampling)(z, PROMPT)
    assert (ours - theirs("embedded", "ddim", sampling, z, monkeypatch, guidance_rescale=share)).abs().max() < 1 / 255
    assert (ours - decoder("embedded", "ddim", Sampling())(z, PROMPT)).abs().max() > 2 / 255


def test_clip_skip_leaves_out_layers_of_both_texts() -> None:
    """As ComfyUI and A1111 have it; the pipeline leaves them out of the positive text alone."""
    shape = replace(tiny_world.TINY, text_layers=3)
    folder = tiny_world.build(tiny_world.folder("plain").parent / "deep", shape=shape, prediction="epsilon")
    loaded, short = worlds.load(folder), worlds.load(folder)
    base = faithful_decoder(loaded, steps=2, guidance=5.0, batch=1)
    skipping = base.variant(replace(base.settings, sampling=Sampling(clip_skip=1)))
    del dict(short.text.encoder.named_modules())["encoder"].layers[-1]  # a text encoder that never had the last one
    for text in (PROMPT.positive, PROMPT.negative):
        assert torch.equal(skipping.texts.text(text)[0], short.text(text)[0])
        assert not torch.allclose(skipping.texts.text(text)[0], base.texts.text(text)[0], atol=0.1)
    assert skipping.texts is base.variant(skipping.settings).texts
    with pytest.raises(PresetError, match=r"clip_skip = 3: this world's text encoder has 3 layers: take fewer"):
        _ = base.variant(replace(base.settings, sampling=Sampling(clip_skip=3))).texts


@pytest.mark.parametrize(
    ("sampler", "sampling", "message"),
    [
        (
            "flow_euler",
            Sampling(),
            r"takes out the noise of a flow, and Stable Diffusion 1 is a diffusion: use auto or",
        ),
        ("tcd", Sampling("trailing"), "the sampler 'tcd' spaces its times itself: leave spacing at auto"),
        ("lcm", Sampling("linspace"), "the sampler 'lcm' spaces its times itself: use trailing or leave"),
        ("ddim", Sampling(karras=True), "the sampler 'ddim' has no Karras noise levels: use one of euler, dpmpp_2m"),
    ],
)
def test_what_a_sampler_cannot_do_is_one_line(sampler: str, sampling: Sampling, message: str) -> None:
    with pytest.raises(PresetError, match=message) as error:
        decoder("plain", sampler, sampling)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrong", [{"spacing": "even"}, {"rescale": 1.5}, {"rescale": float("nan")}, {"clip_skip": -1}])
def test_a_sampling_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(PresetError):
        Sampling(**wrong)


@given(
    st.builds(
        Sampling,
        st.sampled_from(("", *SPACINGS)),
        st.sampled_from((None, True, False)),
        st.floats(0, 1),
        st.integers(0, 11),
    )
)
def test_a_sampling_is_read_as_it_is_written(sampling: Sampling) -> None:
    assert Sampling.read(str(sampling)) == sampling


def test_what_is_usual_leaves_records_and_profiles_as_they_were() -> None:
    usual = DecoderSettings("faithful", 4)
    assert "sampling" not in usual.record()
    made = faithful_decoder(world("plain"), steps=2, batch=1)
    assert "sampling" not in made.profile.record()
    other = made.variant(replace(made.settings, sampler="euler", sampling=Sampling("trailing", True, 0.5, 0)))
    assert other.profile.hash != made.profile.hash
    again = other.profile.settings(made.settings)
    assert (again.sampler, again.sampling) == ("euler", other.settings.sampling)
    assert made.settings.recorded({"sampling": "trailing karras rescale=0.5"}).sampling == other.settings.sampling


def test_a_preset_says_how_it_is_sampled() -> None:
    spec = DecoderSpec(sampler="dpmpp_2m", spacing="trailing", karras=True, guidance_rescale=0.7, clip_skip=1)
    card, machine = world("plain").card, Choice("cpu", "float32", "eager", 2)
    main, scout = (resolve(spec, card, machine, kind) for kind in ("faithful", "scout"))  # type: ignore[arg-type]
    assert (main.sampler, main.sampling) == ("dpmpp_2m", Sampling("trailing", True, 0.7, 1))
    assert (scout.sampler, scout.sampling) == ("", Sampling(clip_skip=1))  # what it is made for, unless it is said
    assert DecoderSpec().saying(main).sampling == main.sampling
    assert DecoderSpec().saying(main).sampler == "dpmpp_2m"
    assert resolve(DecoderSpec(scout_sampler="euler"), card, machine, "scout").sampler == "euler"
    assert resolve(DecoderSpec(), card, machine).sampling == Sampling()


def test_a_preset_may_name_every_sampler() -> None:
    from typing import get_args

    assert set(get_args(SamplerName)) == {"auto", *SAMPLERS}
