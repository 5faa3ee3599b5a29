"""The decoders keep their contract: the pipeline's picture, the same bytes in any slot, faults answered."""

from __future__ import annotations

import functools
import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_world
import torch
from diffusers import LCMScheduler, StableDiffusionPipeline
from safetensors.torch import save_file
from torch import Tensor, nn

from latentworld.decoding import Memo, engines, faithful_decoder, scout_decoder
from latentworld.decoding.lora import fused
from latentworld.decoding.modules import Denoiser, Painter, guidance_embedding
from latentworld.decoding.scout import noise_of
from latentworld.errors import Cancelled, DecodeError, OutOfMemory, PresetError, WorldMismatch
from latentworld.prompts import Prompt
from latentworld.worlds import World, load
from latentworld.worlds.load import scheduler_from

PROMPT = Prompt("a cat, 4k", "blurry, ugly")
MAKERS: dict[str, Callable[..., Any]] = {
    "faithful": functools.partial(faithful_decoder, steps=3, guidance=5.0),
    "faithful, no guidance": functools.partial(faithful_decoder, steps=3, guidance=1.0),
    "student": functools.partial(scout_decoder, steps=2),
    "lcm": lambda world, **options: scout_decoder(replace(world, student=None), steps=3, **options),
}


@functools.cache
def world(kind: str = "embedded") -> World:
    return load(tiny_world.folder(kind))


@functools.cache
def pipeline(kind: str = "embedded") -> Any:
    pipe = StableDiffusionPipeline.from_pretrained(tiny_world.folder(kind), dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def latents(n: int, seed: int = 0) -> Tensor:
    return torch.randn(n, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


# --- the pipeline's picture --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "guidance", "engine"),
    [
        ("embedded", 5.0, "eager"),
        ("embedded", 5.0, "openvino"),
        ("embedded", 1.0, "eager"),
        ("plain", 5.0, "eager"),
        ("plain", 1.0, "eager"),
    ],
)
def test_faithful_is_the_vanilla_pipeline(kind: str, guidance: float, engine: str) -> None:
    z = latents(4) * torch.tensor([1.0, 1.0, 2.0, 3.0]).view(4, 1, 1, 1)  # past the shell too
    asked = {"prompt": PROMPT.positive, "negative_prompt": PROMPT.negative, "guidance_scale": guidance}
    theirs = pipeline(kind)(**asked, latents=z, num_images_per_prompt=4, num_inference_steps=5, output_type="pt").images
    ours = faithful_decoder(world(kind), steps=5, guidance=guidance, batch=3, engine=engine)(z, PROMPT)
    assert ours.dtype == torch.float32
    assert ours.shape == (4, 3, 64, 64)
    assert ((ours * 255).round() - (theirs * 255).round()).abs().max() <= 1


def test_the_lean_unet_is_the_plain_one() -> None:
    """Also where text rows are shared by several pictures, and where a UNet is told its guidance (LCM)."""
    for other in ({}, {"time_cond_proj_dim": 16}):
        with tiny_world.seeded(3):
            unet = tiny_world.unet(**other).eval()
        told = guidance_embedding(7.5, 16) if other else None
        given = (latents(3), torch.tensor([500]), torch.randn(2, 16, 32, generator=torch.Generator().manual_seed(1)))
        with torch.no_grad():
            plain = Denoiser(unet, told, lean=False)(*given)
            lean = Denoiser(unet, told)
            assert lean.lean
            assert (lean(*given) - plain).abs().max() < 1e-5


def test_an_odd_unet_takes_the_librarys_forward() -> None:
    assert not Denoiser(tiny_world.unet(center_input_sample=True)).lean


# --- same position, same picture ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "engine"), [*((name, "eager") for name in MAKERS), ("faithful", "openvino"), ("student", "openvino")]
)
def test_a_picture_is_the_same_bytes_in_any_slot(name: str, engine: str) -> None:
    decoder, z = MAKERS[name](world(), batch=3, engine=engine), latents(5)
    together = decoder(z, PROMPT)
    assert torch.equal(together, torch.cat([decoder(z[i : i + 1], PROMPT) for i in range(5)]))
    assert torch.equal(together.flip(0), decoder(z.flip(0), PROMPT))
    assert torch.equal(together, MAKERS[name](world(), batch=3, engine=engine)(z, PROMPT))  # and in another decoder


@pytest.mark.parametrize("batch", [2, 3])
def test_slots_are_equal_with_several_threads(batch: int) -> None:
    """1,024 pixels and more: there torch's channels-last GroupNorm splits rows among threads (see engines.py)."""
    before, z = torch.get_num_threads(), latents(batch)
    torch.set_num_threads(2)
    try:
        paint = engines.build("eager", Painter(world().vae), (z,), "test")
        together = paint(z)
        for slot, one in enumerate(z):
            alone = paint(one.expand(batch, -1, -1, -1))
            assert all(torch.equal(picture, together[slot]) for picture in alone)
    finally:
        torch.set_num_threads(before)


def test_a_decoder_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    for make in MAKERS.values():
        make(world(), batch=2)(latents(1), PROMPT)
    assert torch.equal(torch.rand(3), wanted)


# --- engines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["faithful", "student"])
def test_openvino_agrees_with_eager(name: str) -> None:
    z = latents(2)
    apart = MAKERS[name](world(), batch=3, engine="openvino")(z, PROMPT) - MAKERS[name](world(), batch=3)(z, PROMPT)
    assert apart.abs().max() < 0.5 / 255


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # inductor's own
def test_compile_agrees_with_eager() -> None:
    with tiny_world.seeded(2):
        module = nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.SiLU()).eval()
    z = latents(2)
    fast, slow = (engines.build(engine, module, (z,), "test")(z) for engine in ("compile", "eager"))
    assert (fast - slow).abs().max() < 1e-5


def test_a_conversion_is_kept_whole_and_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path))
    module, z, converted = nn.Conv2d(4, 4, 3).eval(), latents(1), []
    convert = engines._convert
    monkeypatch.setattr(engines, "_convert", lambda *given: converted.append(1) or convert(*given))
    first = engines.build("openvino", module, (z,), "a")(z)
    assert torch.equal(engines.build("openvino", module, (z,), "a")(z), first)
    assert len(converted) == 1
    assert [path.name for path in (tmp_path / "openvino").iterdir() if path.name.startswith("tmp")] == []
    next(tmp_path.rglob("model.xml")).write_text("broken")
    assert torch.equal(engines.build("openvino", module, (z,), "a")(z), first)
    engines.build("openvino", module, (z,), "other weights")
    assert len(converted) == 3


def test_an_unwritable_cache_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path / "file"))
    assert engines.build("openvino", nn.Conv2d(4, 4, 3).eval(), (latents(1),), "a")(latents(1)).shape == (1, 4, 6, 6)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(PresetError, match="use one of eager, compile, openvino, graphs"):
        engines.build("tensorrt", nn.Identity(), (latents(1),), "a")


# --- the scout ---------------------------------------------------------------------------------------------------


def test_the_scout_is_the_student_with_the_tiny_vae() -> None:
    decoder = scout_decoder(world(), steps=2, batch=2)
    assert decoder.profile.decoder == "scout/student/tiny"
    assert decoder.profile.guidance == 1.0
    pipe = StableDiffusionPipeline(
        vae=world().tiny_vae, unet=world().student.unet, text_encoder=world().text_encoder,  # type: ignore[union-attr]
        tokenizer=world().tokenizer, scheduler=type(world().scheduler).from_config(world().scheduler.config),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    asked = {"prompt": PROMPT.positive, "guidance_scale": 1.0, "num_inference_steps": 2, "output_type": "pt"}
    theirs = pipe(**asked, latents=latents(2), num_images_per_prompt=2).images
    assert (decoder(latents(2), PROMPT) - theirs).abs().max() < 0.5 / 255


def test_one_step_is_the_lcm_schedulers() -> None:
    """With one step nothing is re-noised, so our step and the library's agree exactly."""
    scheduler = scheduler_from(dict(world("plain").scheduler.config), lcm=True)
    assert isinstance(scheduler, LCMScheduler)
    scheduler.set_timesteps(1)
    time, z, out = scheduler.timesteps[0], latents(2), latents(2, seed=9)
    from latentworld.decoding.scout import renoised

    ours = renoised(scheduler, out, time, z, z)
    scheduler.set_timesteps(1)
    assert torch.equal(ours, scheduler.step(out, time, z, return_dict=False)[0])


def test_the_noise_is_white_continuous_and_a_function_of_the_start() -> None:
    z = latents(2)
    noise = noise_of(z, 1)
    assert torch.allclose(
        noise, noise_of(3 * z, 1), atol=1e-5
    )  # of the direction: past the shell it is still of unit variance
    assert torch.allclose(noise.flatten(1).norm(dim=1), torch.tensor(256.0).sqrt())
    near = noise_of(z + 1e-4 * latents(2, seed=3), 1)
    assert (near - noise).abs().max() < 1e-3
    for other in (z, noise_of(z, 2)):
        cosine = torch.cosine_similarity(noise.flatten(1), other.flatten(1))
        assert cosine.abs().max() < 0.25  # 256 elements: 4 standard deviations


@pytest.mark.parametrize("layout", ["kohya", "peft", "old"])
def test_a_lora_is_fused(layout: str, tmp_path: Path) -> None:
    with tiny_world.seeded(4):
        unet = tiny_world.unet()
    name = "mid_block.attentions.0.transformer_blocks.0.attn1." + ("to_out.0" if layout == "old" else "to_q")
    layer = unet.get_submodule(name)
    down, up = torch.randn(2, 64), torch.randn(64, 2)
    if layout == "kohya":
        stem = "lora_unet_" + name.replace(".", "_")
        parts = {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.alpha": torch.tensor(1.0)}
        wanted = layer.weight + 0.5 * up @ down
    elif layout == "old":
        stem = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora"
        parts = {f"{stem}.down.weight": down, f"{stem}.up.weight": up}
        wanted = layer.weight + up @ down
    else:
        parts = {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
        wanted = layer.weight + up @ down
    save_file(parts, tmp_path / "a.safetensors")
    fused(unet, tmp_path / "a.safetensors")
    assert torch.allclose(layer.weight, wanted, atol=1e-5)
    save_file(
        {key.replace("to_q", "to_nothing").replace("to_out", "to_nothing"): value for key, value in parts.items()},
        tmp_path / "b.safetensors",
    )
    with pytest.raises(WorldMismatch, match="which this world lacks"):
        fused(unet, tmp_path / "b.safetensors")


def test_a_scout_with_a_lora_leaves_the_world_as_it_was(tmp_path: Path) -> None:
    stem = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    parts = {f"{stem}.lora_down.weight": torch.randn(2, 64), f"{stem}.lora_up.weight": torch.randn(64, 2)}
    save_file(parts, tmp_path / "a.safetensors")
    before = {key: value.clone() for key, value in world().unet.state_dict().items()}
    decoder = scout_decoder(world(), lora=tmp_path / "a.safetensors", batch=1, steps=2)
    assert decoder.profile.decoder == "scout/lora/tiny"
    assert decoder.profile.world != world().digest
    assert decoder(latents(1), PROMPT).isfinite().all()
    assert all(torch.equal(value, before[key]) for key, value in world().unet.state_dict().items())


def test_a_tiny_vae_of_ones_own() -> None:
    decoder = scout_decoder(world(), tiny_vae=tiny_world.folder() / "tiny_vae", batch=2, steps=2)
    assert torch.equal(decoder(latents(2), PROMPT), scout_decoder(world(), batch=2, steps=2)(latents(2), PROMPT))


# --- faults, watching, bad input ---------------------------------------------------------------------------------


def starved(room: int) -> Callable[..., engines.Run]:
    """An engine on a device where a UNet batch of more than `room` pictures does not fit."""

    def build(engine: str, module: nn.Module, example: tuple[Tensor, ...], key: str) -> engines.Run:
        run = engines.build(engine, module, example, key)

        def limited(*inputs: Tensor) -> Tensor:
            if isinstance(module, Denoiser) and len(inputs[0]) > room:
                raise torch.OutOfMemoryError("CUDA out of memory (injected)")
            return run(*inputs)

        return limited

    return build


def test_out_of_memory_halves_the_batch_and_goes_on() -> None:
    decoder = faithful_decoder(world(), steps=2, guidance=5.0, batch=8, build=starved(2))
    memo = Memo(decoder)
    made = memo(latents(5), PROMPT)
    assert decoder.profile.batch == 2
    assert torch.equal(made, faithful_decoder(world(), steps=2, guidance=5.0, batch=2)(latents(5), PROMPT))
    assert torch.equal(memo(latents(5), PROMPT), made)
    assert (memo.made, memo.found) == (5, 5)


def test_not_even_one_fits() -> None:
    decoder = faithful_decoder(world(), steps=2, batch=4, build=starved(0))
    with pytest.raises(OutOfMemory, match="one picture of 64x64 does not fit"):
        decoder(latents(1), PROMPT)


def test_other_faults_are_not_taken_for_memory() -> None:
    def broken(*given: Any) -> engines.Run:
        raise RuntimeError("cuDNN is unhappy")

    with pytest.raises(RuntimeError, match="unhappy"):
        faithful_decoder(world(), steps=1, build=broken)(latents(1), PROMPT)


def test_a_call_is_watched_and_cancelled() -> None:
    decoder, seen = faithful_decoder(world(), steps=2, guidance=5.0, batch=2), []
    decoder(latents(3), PROMPT, lambda done, total: seen.append((done, total)) or True)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    with pytest.raises(Cancelled, match="after 3 of 4"):
        decoder(latents(3), PROMPT, lambda done, total: done < 3)
    assert decoder(latents(1), PROMPT).shape == (1, 3, 64, 64)  # and it can be used again


def test_none_in_none_out() -> None:
    assert faithful_decoder(world(), steps=1)(torch.empty(0, 4, 8, 8), PROMPT).shape == (0, 3, 64, 64)


def test_another_size() -> None:
    decoder = faithful_decoder(world(), steps=1, batch=1, size=(64, 96))
    assert decoder.shape == (4, 8, 12)
    assert decoder(torch.randn(1, 4, 8, 12), PROMPT).shape == (1, 3, 64, 96)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "at least 1 denoising step"),
        ({"batch": 0}, "at least 1 picture a batch"),
        ({"guidance": float("nan")}, "a finite number"),
        ({"size": (60, 64)}, "multiples of 16 pixels"),
    ],
)
def test_bad_settings_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(PresetError, match=words):
        faithful_decoder(world(), **options)


def test_latents_of_another_world_are_refused() -> None:
    with pytest.raises(DecodeError, match=r"decodes \[n, 4, 8, 8\]"):
        faithful_decoder(world(), steps=1)(torch.zeros(1, 4, 16, 16), PROMPT)


def test_a_profile_says_what_the_bytes_depend_on() -> None:
    profile = faithful_decoder(world(), steps=3, batch=2).profile
    assert profile.world == world().digest
    assert profile.guidance == 5.0  # the card's
    others = [replace(profile, **change) for change in ({"steps": 4}, {"batch": 1}, {"engine": "openvino"})]
    assert len({one.hash for one in [profile, *others]}) == 4
    assert len(profile.hash) == 16


# --- variants, and a denoising watched ---------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["eager", "openvino"])
def test_a_variant_is_the_decoder_made_so_and_shares_what_it_can(engine: str) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    base = faithful_decoder(world(), steps=3, guidance=5.0, batch=2, engine=engine)
    before = base(latents(2), PROMPT)
    other = base.variant(steps=2, guidance=2.0)
    assert other.warm  # nothing to build
    own = faithful_decoder(world(), steps=2, guidance=2.0, batch=2, engine=engine)
    assert other.profile == own.profile
    assert torch.equal(other(latents(2), PROMPT), own(latents(2), PROMPT))
    assert torch.equal(base(latents(2), PROMPT), before)  # which is none the worse
    assert not base.variant(batch=1).warm
    assert not base.variant(guidance=1.0).warm  # other shapes
    with pytest.raises(PresetError, match="steps = 0"):
        base.variant(steps=0)


def test_two_threads_may_share_an_engine() -> None:
    pytest.importorskip("openvino")
    from concurrent.futures import ThreadPoolExecutor

    base = faithful_decoder(world(), steps=3, guidance=5.0, batch=1, engine="openvino")
    before = base(latents(1), PROMPT)
    pair = (base, base.variant())
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(lambda d=d: [d(latents(1), PROMPT) for _ in range(6)]) for d in pair]
        pictures = [picture for job in both for picture in job.result()]
    assert all(torch.equal(picture, before) for picture in pictures)


def test_the_moments_of_a_denoising_end_in_the_picture() -> None:
    decoder = faithful_decoder(world(), steps=4, guidance=5.0, batch=1)
    moments = list(decoder.moments(latents(1), PROMPT))
    assert [moment.time for moment in moments] == [int(time) for time in decoder.recipe.scheduler.timesteps]
    assert all(torch.equal(a.after, b.sample) for a, b in itertools.pairwise(moments))
    assert torch.equal(moments[0].sample, latents(1))
    assert torch.equal(decoder.paint(moments[-1].after), decoder(latents(1), PROMPT))
    for moment in moments:  # x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps, with the eps that DDIM goes on with
        noise = (moment.sample - moment.kept**0.5 * moment.clean) / (1 - moment.kept) ** 0.5
        assert torch.isfinite(noise).all()
        assert 0 <= moment.kept < 1
    last = moments[-1]
    torch.testing.assert_close(last.after, last.clean, atol=0.2, rtol=0.1)  # the last step leaves little noise
