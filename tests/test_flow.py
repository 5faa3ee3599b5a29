"""Flow models are their pipelines' to 1/255; what is nearly one is refused by name."""

from __future__ import annotations

import functools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from diffusers.schedulers import scheduling_scm
from standins import tiny_flow, tiny_world
from standins.decoders import PROMPT
from torch import Tensor

from installation import rig
from latentworld import vertices, worlds
from latentworld.decoding import DecoderSettings, faithful_decoder, foresight, scout_decoder
from latentworld.decoding.samplers import noise_of
from latentworld.decoding.sampling import Sampling
from latentworld.decoding.settings import DecoderSpec
from latentworld.device import Choice
from latentworld.errors import PresetError, UnknownFamily, WorldDamaged, WorldError, WorldMismatch
from latentworld.plane import Plane
from latentworld.prompts import Prompt, PromptTruncated
from latentworld.worlds import World
from latentworld.worlds.families.flow_modules import packed, unpacked
from latentworld.worlds.find import find
from latentworld.worlds.hub import wanted_files
from latentworld.worlds.locate import HubRef

pytestmark = pytest.mark.usefixtures("own_cache")
KINDS = list(tiny_flow.KINDS)


@functools.cache
def world(kind: str) -> World:
    return worlds.load(tiny_flow.world(kind))


@functools.cache
def pipeline(kind: str) -> Any:
    pipe = DiffusionPipeline.from_pretrained(tiny_flow.world(kind), dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def latents(n: int, shape: tuple[int, int, int], seed: int = 0) -> Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))


def read(kind: str) -> Prompt:
    """FLUX.2 klein's pipeline has no negative text but the empty one."""
    return replace(PROMPT, negative="") if kind == "klein" else PROMPT


def theirs(kind: str, z: Tensor, monkeypatch: pytest.MonkeyPatch, steps: int = 3, guidance: float = 4.0) -> Tensor:
    """The pipeline's pictures of our latents, as it is given them; what it draws is our function of the start."""
    prompt, pipe = read(kind), pipeline(kind)
    asked = tiny_flow.called(kind, pipe, z, prompt.negative)
    guidance -= 1 if kind == "z-image" else 0  # where 0 is none
    if kind == "sana-sprint":
        asked |= {"intermediate_timesteps": 1.3 if steps == 2 else None}
        monkeypatch.setattr(scheduling_scm, "randn_tensor", lambda *a, **b: noise_of(z, pipe.scheduler.step_index + 1))
    asked |= {"prompt": prompt.positive, "guidance_scale": guidance, "num_inference_steps": steps, "output_type": "pt"}
    images: Tensor = pipe(**asked).images
    return images


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("steps", "guidance"), [(1, 1.0), (2, 4.0), (3, 4.0)])
def test_faithful_is_the_pipeline(kind: str, steps: int, guidance: float, monkeypatch: pytest.MonkeyPatch) -> None:
    z = latents(2, world(kind).shape) * torch.tensor([1.0, 1.5]).view(2, 1, 1, 1)
    ours = faithful_decoder(world(kind), steps=steps, guidance=guidance, batch=2)
    assert ours.profile.sampler == ("scm" if kind == "sana-sprint" else "flow_euler")
    assert (ours(z, read(kind)) - theirs(kind, z, monkeypatch, steps, guidance)).abs().max() < 1 / 255


@pytest.mark.parametrize("kind", KINDS)
def test_other_sides_shift_the_times_and_move_the_ids(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = world(kind).latent.shape(64, 128)
    z = latents(1, shape, 3)
    ours = faithful_decoder(world(kind), steps=3, guidance=4.0, batch=1, size=(64, 128))(z, read(kind))
    assert ours.shape == (1, 3, 64, 128)
    assert (ours - theirs(kind, z, monkeypatch)).abs().max() < 1 / 255


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_the_same_bytes_in_any_slot(kind: str) -> None:
    decoder, z = faithful_decoder(world(kind), steps=2, guidance=4.0, batch=2), latents(3, world(kind).shape)
    together = decoder(z, PROMPT)
    assert torch.equal(together, torch.cat([decoder(z[row : row + 1], PROMPT) for row in range(3)]))


@pytest.mark.parametrize("kind", KINDS)
def test_planes_are_of_its_own_dimension(kind: str) -> None:
    latent = find(tiny_flow.world(kind)).facts.latent
    shape = latent.shape(latent.multiple, 2 * latent.multiple)
    plane = Plane(np.asarray(vertices.from_seeds((1, 2, 3), shape, "nchw", "cpu", "float32")))
    assert plane.dimension == latent.channels * shape[1] * shape[2]
    assert shape[2] == 2 * shape[1]


def test_another_vaes_shift_goes_before_its_own(tmp_path: Path) -> None:
    """`world.vae`: a decoder without a shift in place of one that has it."""
    other = shutil.copytree(tiny_flow.world("sd3") / "vae", tmp_path / "vae")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"shift_factor": None, "scaling_factor": 0.7}))
    whole = shutil.copytree(tiny_flow.world("sd3"), tmp_path / "whole")
    shutil.rmtree(whole / "vae")
    shutil.copytree(other, whole / "vae")
    lent, own = worlds.load(tiny_flow.world("sd3"), vae=other), worlds.load(whole)
    assert (lent.latent.scale, lent.latent.shift) == (own.latent.scale, own.latent.shift) == (0.7, 0.0)
    z = latents(1, own.shape)
    made = [faithful_decoder(each, steps=1, guidance=1.0, batch=1)(z, PROMPT) for each in (lent, own, world("sd3"))]
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_guidance_is_told_to_dev_and_not_to_schnell() -> None:
    z = latents(1, (16, 8, 8))
    for kind, is_told in (("flux-dev", True), ("flux-schnell", False)):
        strong, weak = (faithful_decoder(world(kind), steps=2, guidance=g, batch=1) for g in (7.0, 1.0))
        assert strong.rows == 1
        assert torch.equal(strong(z, PROMPT), weak(z, PROMPT)) != is_told


def test_schnell_is_its_own_scout() -> None:
    found = find(tiny_flow.world("flux-schnell"))
    assert (found.facts.few_step, found.has_few_step) == ("schnell", True)
    assert (found.card.defaults.steps, found.card.defaults.guidance, found.card.defaults.scout_steps) == (4, 1.0, 4)
    made, z = scout_decoder(world("flux-schnell"), batch=1), latents(1, (16, 8, 8))
    assert (made.profile.sampler, made.settings.steps) == ("flow_euler", 4)
    assert torch.equal(made(z, PROMPT), faithful_decoder(world("flux-schnell"), batch=1)(z, PROMPT))
    assert not find(tiny_flow.world("flux-dev")).has_few_step


def test_texts_mix_and_are_cut_with_a_word() -> None:
    texts = faithful_decoder(world("sd3"), steps=1, batch=1).texts
    both = texts(Prompt(mixture=(("a cat", 1.0), ("a dog", 1.0))), guided=True)
    assert [tuple(tensor.shape) for tensor in both] == [(2, 16 + 256, 80), (2, 48)]
    assert texts.pooled("a cat").shape == (48,)
    flux = faithful_decoder(world("flux-dev"), steps=1, batch=1).texts
    with pytest.warns(PromptTruncated, match="is longer than 512 tokens"):
        flux.text("word " * 200)


@pytest.mark.parametrize("kind", ["flux-dev", "sd3"])
def test_a_sampler_of_diffusions_is_refused(kind: str) -> None:
    found = find(tiny_flow.world(kind))
    settings = DecoderSettings("faithful", 2, size=(64, 64))
    foresight.check(found, settings)
    with pytest.raises(PresetError, match=r"'ddim' takes out the noise of a diffusion, and .* is a flow"):
        foresight.check(found, replace(settings, sampler="ddim"))
    with pytest.raises(PresetError, match="spaces its times itself: leave spacing at auto"):
        foresight.check(found, replace(settings, sampling=Sampling("trailing")))
    with pytest.raises(PresetError, match="multiples of 16 pixels"):
        foresight.check(found, replace(settings, size=(64, 72)))


def test_a_text_of_its_own_length_wants_the_eager_engine() -> None:
    """Others would keep the first text's shapes, and paint every later one as long as that."""
    found = find(tiny_flow.world("z-image"))
    settings = DecoderSettings("faithful", 2, size=(64, 64), engine="openvino")
    for look in (foresight.check, lambda *settings: faithful_decoder(world("z-image"), engine="compile")):
        with pytest.raises(PresetError, match=r"Z-Image's texts have lengths of their own.*use 'eager'"):
            look(found, settings)
    decoder, z = faithful_decoder(world("z-image"), steps=1, guidance=4.0, batch=1), latents(1, (16, 8, 8))
    longer = replace(PROMPT, positive="a longer text of many more words")
    again = faithful_decoder(world("z-image"), steps=1, guidance=4.0, batch=1)(z, longer)
    decoder(z, PROMPT)
    assert torch.equal(decoder(z, longer), again)


@pytest.mark.parametrize("kind", ["flux-dev", "sd3", "klein", "sana-sprint"])
def test_openvino_makes_the_same(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    z = latents(1, world(kind).shape)
    made = faithful_decoder(world(kind), steps=2, guidance=4.0, batch=1, engine="openvino")
    made(z, Prompt("another text", "of other words"))
    assert (made(z, read(kind)) - theirs(kind, z, monkeypatch, 2)).abs().max() < 1 / 255


@pytest.mark.parametrize(
    ("kind", "name", "few_step", "steps", "guidance"),
    [
        ("sana-sprint", "mine", "sprint", 2, 4.5), ("z-image", "Z-Image-Turbo", "z_turbo", 8, 1.0),
        ("z-image", "z", "", 28, 5.0), ("sd3", "sd3.5-large-turbo", "flow_turbo", 4, 1.0), ("klein", "k", "", 50, 4.0),
    ],
)  # fmt: skip
def test_a_few_step_flow_is_named(
    kind: str, name: str, few_step: str, steps: int, guidance: float, tmp_path: Path
) -> None:
    found = find(shutil.copytree(tiny_flow.world(kind), tmp_path / name))
    assert found.facts.few_step == few_step
    assert (found.card.defaults.steps, found.card.defaults.guidance) == (steps, guidance)


def test_a_distilled_klein_says_so(tmp_path: Path) -> None:
    made = changed(tmp_path, "klein", "model_index.json", is_distilled=True)
    assert (find(made).facts.few_step, find(made).card.defaults.steps) == ("klein", 4)


def test_a_language_models_template_is_fetched_and_hashed(tmp_path: Path) -> None:
    """Its chat template decides what it reads, and lies in a file of its own."""
    names = ["model_index.json", "tokenizer/tokenizer.json", "tokenizer/chat_template.jinja", "tokenizer/a.py"]
    assert wanted_files(HubRef("a/b"), names, "model_index.json", ("tokenizer",)) == sorted(names[:3])
    made = Path(shutil.copytree(tiny_flow.world("z-image"), tmp_path / "z"))
    assert (made / "tokenizer" / "chat_template.jinja").is_file()
    before = worlds.load(made).digest
    (made / "tokenizer" / "chat_template.jinja").write_text("{{ messages[0].content }}")
    assert worlds.load(made).digest != before


def test_what_a_family_bears_is_what_auto_means(monkeypatch: pytest.MonkeyPatch) -> None:
    flux, eager, spec = find(tiny_flow.world("flux-dev")), find(tiny_flow.world("z-image")), DecoderSpec()
    monkeypatch.setattr(rig, "choose", lambda *asked: Choice("cuda", "float16", "eager", 8))
    assert rig._bearable(spec, flux).dtype == "bfloat16"  # T5 and the transformer overflow in float16
    assert rig._bearable(spec, find(tiny_world.folder("plain"))) == spec
    monkeypatch.setattr(rig, "choose", lambda *asked: Choice("cpu", "float32", "openvino", 2))
    assert rig._bearable(spec, flux) == spec
    assert rig._bearable(spec, eager).engine == "eager"
    assert rig._bearable(DecoderSpec(engine="openvino"), eager).engine == "openvino"  # which is refused, by name


def test_clip_skip_goes_where_clips_layers_are_read() -> None:
    base = faithful_decoder(world("sd3"), steps=1, batch=1)
    skipping = base.variant(replace(base.settings, sampling=Sampling(clip_skip=1))).texts
    words, _, pooled, _ = pipeline("sd3").encode_prompt("a cat", None, None, None, 1, False, clip_skip=1)
    for mine, other in zip(skipping.text("a cat"), (words, pooled), strict=True):
        assert torch.allclose(mine, other, atol=1e-5)
    flux = faithful_decoder(world("flux-dev"), steps=1, batch=1)
    with pytest.raises(PresetError, match=r"reads T5's words, and of CLIP the whole alone: leave it at 0"):
        _ = flux.variant(replace(flux.settings, sampling=Sampling(clip_skip=1))).texts


def test_packing_is_undone() -> None:
    z = latents(2, (16, 6, 10))
    assert packed(z).shape == (2, 15, 64)
    assert torch.equal(unpacked(packed(z), (16, 6, 10)), z)


def changed(tmp_path: Path, kind: str, file: str, **entries: object) -> Path:
    made = Path(shutil.copytree(tiny_flow.world(kind), tmp_path / "near"))
    path = made / file
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))
    return made


@pytest.mark.parametrize(
    ("kind", "file", "entries", "message", "error"),
    [
        ("flux-dev", "vae/config.json", {"latent_channels": 4}, "its VAE has 4 latent channels", WorldMismatch),
        ("flux-dev", "text_encoder_2/config.json", {"d_model": 64}, "words of width 80 and its text_encoder_2 gives 64",
         WorldMismatch),
        ("flux-dev", "text_encoder_2/config.json", {"model_type": "clip"}, "where T5 is read", WorldMismatch),
        ("flux-dev", "text_encoder/config.json", {"hidden_size": 64}, "width 32 and its text_encoder gives 64",
         WorldMismatch),
        ("flux-dev", "transformer/config.json", {"in_channels": 384, "out_channels": 64}, "this is FLUX.1 for filling",
         UnknownFamily),
        ("flux-dev", "transformer/config.json", {"_class_name": "SD3Transformer2DModel"},
         "says FluxPipeline and its transformer is a SD3Transformer2DModel: these are parts of two", UnknownFamily),
        ("klein", "vae/config.json", {"latent_channels": 16}, "its VAE has 16 latent channels and its denoiser",
         WorldMismatch),
        ("klein", "text_encoder/config.json", {"hidden_size": 32}, "words of width 48 and its text_encoder gives 96",
         WorldMismatch),
        ("z-image", "text_encoder/config.json", {"model_type": "gemma2"}, "where Qwen 3 is read", WorldMismatch),
        ("z-image", "transformer/config.json", {"siglip_feat_dim": 16}, "this is Z-Image with a picture",
         UnknownFamily),
        ("sana-sprint", "scheduler/scheduler_config.json", {"sigma_data": 1.0}, "sigma_data = 1.0", WorldMismatch),
        ("sana-sprint", "transformer/config.json", {"guidance_embeds": False}, "this is SANA of many", UnknownFamily),
        ("sd3", "text_encoder_3/config.json", {"d_model": 64}, "text_encoder_3 gives 64", WorldMismatch),
        ("sd3", "text_encoder_2/config.json", {"projection_dim": 8}, "first two text encoders give 32", WorldMismatch),
        ("sd3", "scheduler/scheduler_config.json", {"_class_name": "DDIMScheduler"}, "schedule is a 'DDIMScheduler'",
         WorldMismatch),
    ],
)  # fmt: skip
def test_what_is_nearly_a_flow_model_is_refused_by_name(
    kind: str, file: str, entries: dict[str, object], message: str, error: type[WorldError], tmp_path: Path
) -> None:
    with pytest.raises(error, match=message) as said:
        worlds.inspect(changed(tmp_path, kind, file, **entries))
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(("kind", "part"), [("flux-dev", "text_encoder_2"), ("sd3", "text_encoder_3"), ("sd3", "vae")])
def test_a_part_that_is_missing_is_named(kind: str, part: str, tmp_path: Path) -> None:
    made = Path(shutil.copytree(tiny_flow.world(kind), tmp_path / "near"))
    shutil.rmtree(made / part)
    with pytest.raises(WorldDamaged, match=f"{part} is missing: .*copy or download the model again"):
        worlds.inspect(made)
