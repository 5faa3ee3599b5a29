"""The decoders keep their contract: the pipeline's picture, the same bytes in any slot, faults answered."""

from __future__ import annotations

import contextlib
import copy
import functools
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from safetensors.torch import save_file
from standins import tiny_world
from standins.decoders import PROMPT, latents, world
from torch import Tensor, nn

from latentworld import worlds
from latentworld.decoding import (
    Cached,
    DecoderSettings,
    engines,
    faithful_decoder,
    foresight,
    openvino_models,
    sampling,
    scout_decoder,
    timetable,
)
from latentworld.decoding.samplers import SAMPLERS, Sampler
from latentworld.errors import Cancelled, DecodeError, OutOfMemory, PresetError
from latentworld.worlds import families
from latentworld.worlds.families import sd1
from latentworld.worlds.families.unet import Denoiser, guidance_embedding
from latentworld.worlds.find import find
from latentworld.worlds.steady import steady

pytestmark = pytest.mark.usefixtures("own_cache")
MAKERS: dict[str, Callable[..., Any]] = {
    "faithful": functools.partial(faithful_decoder, steps=3, guidance=5.0),
    "faithful, no guidance": functools.partial(faithful_decoder, steps=3, guidance=1.0),
    "student": functools.partial(scout_decoder, steps=2),
    "lcm": lambda world, **options: scout_decoder(replace(world, student=None, few_step="lcm"), steps=3, **options),
}


@functools.cache
def pipeline(kind: str = "embedded") -> Any:
    pipe = StableDiffusionPipeline.from_pretrained(tiny_world.folder(kind), dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


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


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of diffusers' DPM-Solver
def test_a_sampler_is_one_entry_that_a_family_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the folder to the picture: whoever loads a world knows no sampler."""

    def step(scheduler: Any, prediction: Tensor, time: Tensor, sample: Tensor, start: Tensor) -> Tensor:
        return scheduler.step(prediction, time, sample, return_dict=False)[0]  # type: ignore[no-any-return]

    dpm = Sampler("scheduling_dpmsolver_multistep", "DPMSolverMultistepScheduler", step)
    for module in (timetable, sampling):
        monkeypatch.setattr(module, "SAMPLERS", {**SAMPLERS, "dpm": dpm})
    monkeypatch.setattr(families, "known", lambda: (replace(sd1.FAMILY, sampler="dpm"),))
    decoder = faithful_decoder(worlds.load(tiny_world.folder("plain")), steps=5, guidance=5.0, batch=2)
    pipe = copy.copy(pipeline("plain"))
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config)
    asked = {"prompt": PROMPT.positive, "negative_prompt": PROMPT.negative, "guidance_scale": 5.0}
    theirs = pipe(**asked, latents=latents(2), num_images_per_prompt=2, num_inference_steps=5, output_type="pt").images
    assert decoder.profile.sampler == "dpm"
    assert (decoder(latents(2), PROMPT) - theirs).abs().max() < 0.5 / 255


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
        paint = engines.build("eager", world().family.painter(world().vae, world().latent), (z,), "test")
        together = paint(z)
        for slot, one in enumerate(z):
            alone = paint(one.expand(batch, -1, -1, -1))
            assert all(torch.equal(picture, together[slot]) for picture in alone)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("rows", range(2, 18))
@pytest.mark.parametrize("shape", [(), (4,)])
def test_products_of_few_rows_are_equal_with_several_threads(rows: int, shape: tuple[int, ...]) -> None:
    """A time or a pooled text is a row a picture: two threads split a product of 5 to 11 rows unevenly."""
    before, layer = torch.get_num_threads(), torch.nn.Linear(80, 256)
    one = torch.randn(1, *shape, 80, generator=torch.Generator().manual_seed(rows))
    torch.set_num_threads(2)
    try:
        steady(layer)
        steady(layer)  # said twice is said once
        together = copy.deepcopy(layer)(one.expand(rows, *one.shape[1:]))
        assert all(torch.equal(row, layer(one)[0]) for row in together)
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
    convert = openvino_models._convert
    monkeypatch.setattr(openvino_models, "_convert", lambda *given: converted.append(1) or convert(*given))
    first = engines.build("openvino", module, (z,), "a")(z)
    assert torch.equal(engines.build("openvino", module, (z,), "a")(z), first)
    assert len(converted) == 1
    assert [path.name for path in (tmp_path / "openvino").iterdir() if path.name.startswith("tmp")] == []
    next(tmp_path.rglob("model.xml")).write_text("broken")
    next(tmp_path.rglob("*.compiled")).unlink()
    assert torch.equal(engines.build("openvino", module, (z,), "a")(z), first)
    engines.build("openvino", module, (z,), "other weights")
    assert len(converted) == 3


@pytest.mark.parametrize("broken", [b"", b"short", b"0" * 5000])
def test_what_was_compiled_is_kept_and_compiled_anew_where_it_is_damaged(
    broken: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path))
    module, z = nn.Conv2d(4, 4, 3).eval(), latents(1)
    first = engines.build("openvino", module, (z,), "a")(z)
    monkeypatch.setattr(openvino_models, "_converted", lambda *_: pytest.fail("it was compiled again"))
    assert torch.equal(engines.build("openvino", module, (z,), "a")(z), first)
    monkeypatch.undo()
    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path))
    monkeypatch.setattr(openvino_models, "_convert", lambda *_: pytest.fail("it was converted again"))
    file = next(tmp_path.rglob("*.compiled"))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if broken == b"short" else broken)
    assert torch.equal(engines.build("openvino", module, (z,), "a")(z), first)
    assert file.read_bytes() == whole or file.stat().st_size > 1000  # kept anew


def test_an_unwritable_cache_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path / "file"))
    assert engines.build("openvino", nn.Conv2d(4, 4, 3).eval(), (latents(1),), "a")(latents(1)).shape == (1, 4, 6, 6)


LET_GO = """
import gc, os, signal, sys
import torch
from latentworld.decoding import engines

signal.signal(signal.SIGINT, lambda number, frame: print("heard", flush=True))
x = torch.zeros(1, 4, 8, 8)
runs = [engines.build("openvino", torch.nn.Conv2d(4, 4, 3).eval(), (x,), key) for key in "ab"]
while runs:
    runs.pop(0)(x)
    gc.collect()
os.kill(os.getpid(), signal.SIGINT)
"""


def test_a_signal_is_heard_after_engines_were_let_go_of(tmp_path: Path) -> None:
    """It killed the process where a processor has AMX: see `openvino_models.core`."""
    environment = os.environ | {"LATENTWORLD_CACHE": str(tmp_path)}
    program = [sys.executable, "-c", LET_GO]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr


class Cuda:
    """A stand-in for what is used of torch.cuda: it notes on which device things are made."""

    def __init__(self) -> None:
        self.current = "first"
        self.made: list[tuple[str, str]] = []

    @contextlib.contextmanager
    def device(self, device: object) -> Iterator[None]:
        before, self.current = self.current, str(device)
        yield
        self.current = before

    @contextlib.contextmanager
    def stream(self, stream: object) -> Iterator[None]:
        yield

    graph = stream

    def Stream(self, device: object) -> Cuda:
        self.made.append(("stream", self.current))
        return self

    def current_stream(self, device: object) -> Cuda:
        return self

    def wait_stream(self, other: object) -> None:
        self.made.append(("wait", self.current))

    def CUDAGraph(self) -> Cuda:
        self.made.append(("graph", self.current))
        return self

    def replay(self) -> None:
        self.made.append(("replay", self.current))


def test_a_graph_is_captured_and_replayed_on_its_tensors_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever device is the current one: the default is the first, and a world may lie on another."""
    cuda = Cuda()
    for name in ("device", "stream", "graph", "Stream", "current_stream", "CUDAGraph"):
        monkeypatch.setattr(torch.cuda, name, lambda *a, name=name, **k: getattr(cuda, name)(*a[:1]))
    run = engines.build("graphs", nn.Identity(), (torch.zeros(1, 4, 8, 8),), "key")
    run(torch.ones(1, 4, 8, 8))
    assert {kind for kind, _ in cuda.made} >= {"stream", "graph", "replay"}
    assert {place for _, place in cuda.made} == {"cpu"}
    assert cuda.current == "first"


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(PresetError, match="use one of openvino, eager, compile, graphs, package"):
        engines.build("tensorrt", nn.Identity(), (latents(1),), "a")


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
    memo = Cached(decoder)
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


def test_steps_that_a_schedule_has_no_room_for_are_refused() -> None:
    """Of a schedule spaced from its clean end, as Stable Diffusion's is; one spaced from its noisy end takes all."""
    plain = world("plain")
    for steps, words in (
        (1000, "no times for so many: take 500"),
        (501, "begin at time 501 of 1000"),
        (334, "take 250"),
    ):
        with pytest.raises(PresetError, match=f"steps = {steps}: .*{words}"):
            faithful_decoder(plain, steps=steps)
    with pytest.raises(PresetError, match=r"steps = 51: .*cannot be walked so"):
        scout_decoder(replace(world(), student=None, few_step="lcm"), steps=51)
    for steps in (1, 2, 30, 50, 170, 300, 500, 999):
        assert len(faithful_decoder(plain, steps=steps).scheduler.timesteps) == steps
    assert len(faithful_decoder(world(), steps=1000).scheduler.timesteps) == 1000


@pytest.mark.parametrize(("kind", "steps"), [("faithful", 1000), ("scout", 51)])
def test_settings_are_checked_before_a_weight_is_read(kind: Any, steps: int, tmp_path: Path) -> None:
    bare = shutil.copytree(tiny_world.folder("plain"), tmp_path / "world")
    for weights in bare.rglob("*.safetensors"):
        length = 8 + int.from_bytes(weights.read_bytes()[:8], "little")
        size, header = weights.stat().st_size, weights.read_bytes()[:length]
        weights.write_bytes(header)
        os.truncate(weights, size)  # headers, and nothing behind them
    found = find(bare)
    lora = tmp_path / "lcm.safetensors"
    layer = "lora_unet_conv_in"
    save_file({f"{layer}.lora_down.weight": torch.ones(1, 36), f"{layer}.lora_up.weight": torch.ones(32, 1)}, lora)
    good = DecoderSettings(kind, 4, size=(64, 64), lora=str(lora) if kind == "scout" else None)
    foresight.check(found, good)
    for change in ({"steps": steps}, {"size": (60, 64)}):
        with pytest.raises(PresetError, match=next(iter(change))):
            foresight.check(found, replace(good, **change))


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
    assert profile.threads == torch.get_num_threads()  # of the CPU: they divide sums, so bytes depend on them


# --- variants, and a denoising watched ---------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["eager", "openvino"])
def test_a_variant_is_the_decoder_made_so_and_shares_what_it_can(engine: str) -> None:
    if engine == "openvino":
        pytest.importorskip("openvino")
    base = faithful_decoder(world(), steps=3, guidance=5.0, batch=2, engine=engine)
    before = base(latents(2), PROMPT)
    other = base.variant(replace(base.settings, steps=2, guidance=2.0))
    assert other.warm  # nothing to build
    own = faithful_decoder(world(), steps=2, guidance=2.0, batch=2, engine=engine)
    assert other.profile == own.profile
    assert torch.equal(other(latents(2), PROMPT), own(latents(2), PROMPT))
    assert torch.equal(base(latents(2), PROMPT), before)  # which is none the worse
    assert not base.variant(replace(base.settings, batch=1)).warm
    assert not base.variant(replace(base.settings, guidance=1.0)).warm  # other shapes
    with pytest.raises(PresetError, match="steps = 0"):
        replace(base.settings, steps=0)


def test_a_variant_builds_what_its_settings_change_and_nothing_else() -> None:
    built: list[tuple[str, str]] = []

    def build(engine: str, module: nn.Module, example: tuple[Tensor, ...], key: str) -> engines.Run:
        built.append((engine, key.rsplit("/", 1)[-1]))
        return engines.build("eager", module, example, key)

    base = faithful_decoder(world(), steps=1, guidance=5.0, batch=2, build=build)
    painter = "vae"
    base(latents(1), PROMPT)
    denoiser = next(part for _, part in built if part != painter)
    both = [denoiser, painter]
    for change, expected in [
        ({}, []),
        ({"steps": 2, "guidance": 2.0}, []),
        ({"guidance": 1.0}, [denoiser]),  # half as many rows; what paints is shared
        ({"batch": 1}, both),
        ({"engine": "compile"}, both),  # another engine makes other bytes
    ]:
        built.clear()
        other = base.variant(replace(base.settings, **change))  # type: ignore[arg-type]
        other(latents(1), PROMPT)
        assert sorted(built) == sorted((other.profile.engine, part) for part in expected)
        assert base.warm


def test_two_threads_may_share_an_engine() -> None:
    pytest.importorskip("openvino")
    from concurrent.futures import ThreadPoolExecutor

    base = faithful_decoder(world(), steps=3, guidance=5.0, batch=1, engine="openvino")
    before = base(latents(1), PROMPT)
    pair = (base, base.variant(base.settings))
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(lambda d=d: [d(latents(1), PROMPT) for _ in range(6)]) for d in pair]
        pictures = [picture for job in both for picture in job.result()]
    assert all(torch.equal(picture, before) for picture in pictures)


def test_the_moments_of_a_denoising_end_in_the_picture() -> None:
    decoder = faithful_decoder(world(), steps=4, guidance=5.0, batch=1)
    moments = list(decoder.moments(latents(1), PROMPT))
    assert [moment.time for moment in moments] == [int(time) for time in decoder.scheduler.timesteps]
    assert all(torch.equal(a.after, b.sample) for a, b in itertools.pairwise(moments))
    assert torch.equal(moments[0].sample, latents(1))
    assert torch.equal(decoder.paint(moments[-1].after), decoder(latents(1), PROMPT))
    for moment in moments:  # x_t = sqrt(abar) x_0 + sqrt(1 - abar) eps, with the eps that DDIM goes on with
        noise = (moment.sample - moment.alpha_bar**0.5 * moment.clean) / (1 - moment.alpha_bar) ** 0.5
        assert torch.isfinite(noise).all()
        assert 0 <= moment.alpha_bar < 1
    last = moments[-1]
    torch.testing.assert_close(last.after, last.clean, atol=0.2, rtol=0.1)  # the last step leaves little noise
