"""The tiny cast: every stage runs, resumes bit for bit, refuses changed settings, and ends in a world that loads."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPModel, CLIPProcessor

from foundry import __main__ as command
from foundry import (
    autoencoder,
    casting,
    clip,
    data,
    diffusion,
    encoded,
    export,
    keeping,
    ladder,
    paths,
    polish,
    presets,
    student,
    texts,
    training,
    unet,
)
from foundry.errors import FoundryError
from foundry.machine import Machine
from latentworld import worlds

TINY = presets.TINY
HERE = Machine(threads=1, seconds=0, log=lambda line: None)


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whole tiny cast, with its world."""
    folder = tmp_path_factory.mktemp("cast")
    world = casting.cast_world(folder, TINY, HERE, "tiny_vae")
    assert world is not None
    export.export(world, TINY, folder / "world", {"stages": export.history(folder)})
    return folder


def without(out: Path, folder: Path, *stages: str) -> Path:
    """A copy of a cast that lacks some stages."""
    shutil.copytree(out, folder, ignore=shutil.ignore_patterns("world"))
    for stage in stages:
        shutil.rmtree(folder / stage)
    return folder


def ground_of(out: Path) -> unet.Ground:
    """What the teacher of a cast was trained on."""
    train, held = (data.load_split(out / "data", split, TINY.data) for split in ("train", "held"))
    vae = autoencoder.cast(out / "autoencoder", TINY, train, held, HERE)
    seer, tokenizer = clip.cast(out / "clip", TINY, train, held, HERE)
    spoken = texts.Texts(clip.text_encoder(seer), tokenizer, HERE.device)
    latents = encoded.latents_of(out / "latents" / "train", vae, train, HERE)
    shown = encoded.latents_of(out / "latents" / "held", vae, held, HERE, mirrors=False)
    return unet.Ground(train, latents, vae, spoken, unet.some(held, shown, 8), unet.some(train, latents, 8), HERE)


@pytest.mark.parametrize("name", ["autoencoder", "clip", "unet", "distil", "student", "polish", "eye", "tiny_vae"])
def test_an_interrupted_stage_resumes_bit_for_bit(
    name: str, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, steps, advance = without(out, tmp_path / "cast", name), [0], training.advance

    def stopping(*given: object) -> dict[str, float]:
        if steps[0] == 3:
            raise Interrupted
        steps[0] += 1
        return advance(*given)  # type: ignore[arg-type]

    if name == "distil":
        shutil.rmtree(folder / "student")
    with monkeypatch.context() as patch:
        patch.setattr(training, "EVERY", {"cpu": -1.0})
        patch.setattr(training, "advance", stopping)
        with pytest.raises(Interrupted):
            casting.cast_world(folder, TINY, HERE, name)
    casting.cast_world(folder, TINY, HERE, name)
    (weights,) = (out / name / "model").glob("*.safetensors")
    assert (folder / name / "model" / weights.name).read_bytes() == weights.read_bytes()


def test_what_follows_the_autoencoder_trains_in_bfloat16_too(out: Path, tmp_path: Path) -> None:
    """A processor's autocast cannot do with half precision what a GPU's can."""
    folder = without(out, tmp_path / "cast", "clip")
    here = dataclasses.replace(HERE, precision="bfloat16")
    world = casting.cast_world(folder, TINY, here, "tiny_vae")
    assert world is not None
    networks = (world.unet, world.student, world.clip, world.tiny_vae)
    assert all(p.isfinite().all() and p.dtype == torch.float32 for network in networks for p in network.parameters())
    plans = [line for log in folder.glob("*/log.tsv") for line in log.read_text().splitlines() if "plan:" in line]
    assert {line.split("plan: ")[1].split(",")[0] for line in plans} >= {"bfloat16"}


def test_texts_are_read_alike_in_every_precision(out: Path) -> None:
    spoken = ground_of(out).texts
    alone = spoken(["a cat", "a red flower"])
    spoken.known.clear()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(spoken(["a cat", "a red flower"]), alone)


def test_changed_settings_are_refused(out: Path, tmp_path: Path) -> None:
    folder = without(out, tmp_path / "cast")
    shutil.rmtree(folder / "unet" / "model")
    other = dataclasses.replace(TINY, unet=dataclasses.replace(TINY.unet, rate=1.0, steps=7))
    with pytest.raises(
        FoundryError,
        match=r"unet was cast with other settings: use another --cast, or delete there: unet, paths, .*tiny_vae$",
    ):
        casting.cast_world(folder, other, HERE, "unet")
    redrawn = dataclasses.replace(TINY, data=dataclasses.replace(TINY.data, degraded=0.5))
    with pytest.raises(FoundryError, match="data was cast with other settings"):
        casting.cast_world(folder, redrawn, HERE, "data")


def test_budgets_may_change_and_upstream_settings_may_not() -> None:
    longer = dataclasses.replace(TINY, unet=dataclasses.replace(TINY.unet, minutes=9, steps=None))
    redrawn = dataclasses.replace(TINY, data=dataclasses.replace(TINY.data, degraded=0.5))
    rougher = dataclasses.replace(TINY, latents=dataclasses.replace(TINY.latents, scale=0.0))
    assert longer.fingerprint("student") == TINY.fingerprint("student")
    assert redrawn.fingerprint("student") != TINY.fingerprint("student")
    assert rougher.fingerprint("unet") != TINY.fingerprint("unet")
    assert rougher.fingerprint("clip") == TINY.fingerprint("clip")


def test_a_finished_stage_trains_on_from_where_its_rate_fell(out: Path, tmp_path: Path) -> None:
    folder = without(out, tmp_path / "cast")
    longer = casting.lengthen(folder, TINY, "unet", 1.0)
    assert longer.unet.steps == 12
    assert longer.fingerprint("unet") == TINY.fingerprint("unet")
    assert casting.budgeted(folder, TINY) == longer  # so the plain command goes on with it
    assert casting.budgeted(out, TINY) == TINY
    assert not (folder / "student").exists()
    assert not (folder / "unet" / "model").exists()
    assert (folder / "autoencoder" / "model").exists()
    assert training.read(folder / "unet" / "checkpoint.pt", TINY.fingerprint("unet"))["step"] == 3
    with pytest.raises(FoundryError, match="unknown stage"):
        casting.lengthen(folder, TINY, "dreams", 5.0)


def test_a_stage_that_was_laid_trains_on_from_its_weights(out: Path, tmp_path: Path) -> None:
    """It has no checkpoint; its budget is counted from the steps that it had."""
    kept, folder = tmp_path / "kept", tmp_path / "cast"
    keeping.keep(out, TINY, kept)
    keeping.restore(kept, folder, TINY)
    shutil.copytree(out / "data", folder / "data")
    was = training.weights.read(kept, "unet")[1]
    longer = casting.lengthen(folder, TINY, "unet", 0.5)
    assert longer.unet.steps == 6 + 3
    assert not (folder / "unet" / "model").exists()
    assert not (folder / "student").exists()
    seen: list[dict[str, torch.Tensor]] = []
    real = training.advance

    def watched(run: training.Run, *given: object) -> dict[str, float]:
        if isinstance(run.model, UNet2DConditionModel) and not seen:
            seen.append({name: tensor.clone() for name, tensor in run.model.state_dict().items()})
            assert run.step == 6
        return real(run, *given)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "advance", watched)
        casting.cast_world(folder, longer, HERE, "unet")
    assert all(torch.equal(seen[0][name], was[name]) for name in was)
    assert training.read(folder / "unet" / "checkpoint.pt", TINY.fingerprint("unet"))["step"] == 9
    assert casting.lengthen(folder, longer, "unet", 1.0).unet.steps == 18  # it has a checkpoint of its own now
    with pytest.raises(FoundryError, match="nothing to train on: cast it first"):
        casting.lengthen(folder, TINY, "student", 1.0)


def test_the_first_pictures_can_be_used_before_the_rest_is_drawn(tmp_path: Path) -> None:
    preset = dataclasses.replace(TINY.data, size=16, train=520, early=500, held=1)
    data.draw_split(tmp_path, "train", preset, 500)
    early = data.load_split(tmp_path, "train", preset, preset.early)
    assert len(early) == 4000
    assert data.missing(tmp_path, "train", preset) == [(name, 500) for name in data.FAMILIES]
    data.draw_split(tmp_path, "train", preset)
    whole = data.load_split(tmp_path, "train", preset)
    assert len(whole) == 4160
    for k in (0, 3):
        first = (early.family == k).nonzero()[0], (whole.family == k).nonzero()[0]
        assert torch.equal(early.batch(first[0]), whole.batch(first[1]))
        assert early.captions[int(first[0])] == whole.captions[int(first[1])]


def test_the_teacher_starts_from_the_bake_offs_winner(out: Path) -> None:
    told = json.loads((out / "bakeoff" / "winner.json").read_text())
    assert tuple(told["winner"]) == unet.chosen(out, TINY)
    assert unet.choose({(1,): (1.0, 50), (2,): (1.005, 80), (3,): (1.2, 900)}) == (2,)
    assert tuple(UNet2DConditionModel.from_pretrained(out / "unet" / "model").config.block_out_channels) == tuple(
        told["winner"]
    )


def test_a_cast_goes_on_from_what_was_kept(out: Path, tmp_path: Path) -> None:
    kept, folder = tmp_path / "kept", tmp_path / "cast"
    unfinished = without(out, tmp_path / "unfinished")
    shutil.rmtree(unfinished / "unet" / "model")
    records = {record.stage: record for record in keeping.keep(unfinished, TINY, kept)}
    assert records["autoencoder"].finished
    assert not records["unet"].finished
    assert records["unet"].step == 6
    shutil.copytree(out / "data", folder / "data")
    keeping.restore(kept, folder, TINY)
    for stage in ("student", "distil"):
        shutil.rmtree(folder / stage)
    casting.cast_world(folder, TINY, HERE, "unet")
    one, two = (AutoencoderKL.from_pretrained(place / "autoencoder" / "model") for place in (out, folder))
    assert all(torch.allclose(a, b, atol=1e-3) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert one.config.scaling_factor == two.config.scaling_factor
    assert unet.chosen(folder, TINY) == unet.chosen(out, TINY)
    assert keeping.restore(kept, folder, TINY) == []  # the same command again goes on with what is there
    again = {record.stage: record for record in keeping.keep(folder, TINY, tmp_path / "again")}
    assert again["autoencoder"].step == records["autoencoder"].step == 6  # though it has no checkpoint of its own
    assert export.history(folder)["autoencoder"]["steps"] == 6
    with pytest.raises(FoundryError, match="is of preset 'tiny', not 'cpu': keep it in another folder"):
        keeping.keep(folder, presets.find("cpu"), kept)
    with pytest.raises(FoundryError, match="other settings than preset 'cpu' has"):
        keeping.restore(kept, tmp_path / "other", presets.find("cpu"))
    with pytest.raises(FoundryError, match="keeps no stage"):
        keeping.restore(tmp_path, tmp_path / "other", TINY)


def test_a_world_says_nowhere_where_it_was_cast(out: Path) -> None:
    """Neither one that is exported now nor the one that ships."""
    for world in (out / "world", Path(worlds.__file__).with_name("embedded")):
        told = [file for file in world.rglob("*") if file.suffix in {".json", ".toml", ".md", ".txt"}]
        assert len(told) > 10
        assert [
            file.name for file in told if re.search(r'name_or_path": *"/|' + re.escape(str(out)), file.read_text())
        ] == []


def test_a_world_can_be_adopted_and_trained_on(out: Path, tmp_path: Path) -> None:
    command.adopt(out / "world", "tiny", tmp_path)
    casting.cast_world(tmp_path, TINY, HERE, "tiny_vae")
    one = export.load(out / "world")
    two = UNet2DConditionModel.from_pretrained(tmp_path / "unet" / "model")
    assert any(not torch.equal(a, b) for a, b in zip(one.unet.parameters(), two.parameters(), strict=True))
    with pytest.raises(FoundryError, match="there already"):
        command.adopt(out / "world", "tiny", tmp_path)


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FoundryError, match="use one of tiny, cpu, gpu, gpu-256"):
        presets.find("huge")
    with pytest.raises(FoundryError, match="no whole world"):
        export.load(tmp_path)


@pytest.mark.parametrize("part", ["unet", "vae", "student/unet", "clip"])
def test_a_damaged_world_is_named(part: str, out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "world"
    shutil.copytree(out / "world", folder)
    weights = next((folder / part).glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(FoundryError, match=r"no whole world .* export it again"):
        export.load(folder)
    weights.unlink()
    with pytest.raises(FoundryError, match="no whole world"):
        export.load(folder)


def test_the_world_loads_through_the_vanilla_libraries(out: Path) -> None:
    folder = out / "world"
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    start = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    asked = {"prompt": "a cat", "negative_prompt": "blurry", "num_inference_steps": 3, "guidance_scale": 5.0}
    first, again = (pipe(latents=start, output_type="np", **asked).images[0] for _ in range(2))
    assert first.shape == (32, 32, 3)
    assert (first == again).all()
    model = CLIPModel.from_pretrained(folder / "clip")
    reader, pictures = CLIPProcessor.from_pretrained(folder / "clip"), pipe.numpy_to_pil(first)
    given = reader(text=["a cat"], images=pictures, padding="max_length", truncation=True, return_tensors="pt")
    assert model(**given).logits_per_image.shape == (1, 1)
    assert not list(folder.rglob("*.bin"))
    card = tomllib.loads((folder / "card.toml").read_text())
    assert card["latent"] == [4, 4, 4]
    assert card["defaults"]["guidance"] == TINY.guidance
    assert len(card["colours"]["factors"]) == 4
    assert len(card["families"]) == len(data.FAMILIES)


def test_the_pipeline_hears_what_the_teacher_heard(out: Path) -> None:
    """The text encoder in the folder, whose tensors are named for older libraries, is CLIP's own."""
    pipe = StableDiffusionPipeline.from_pretrained(out / "world")
    seer = CLIPModel.from_pretrained(out / "clip" / "model")
    tokens = pipe.tokenizer(["a cat"], padding="max_length", truncation=True, return_tensors="pt").input_ids
    ours = texts.Texts(clip.text_encoder(seer), pipe.tokenizer, HERE.device)(["a cat"])
    assert torch.allclose(pipe.text_encoder(tokens).last_hidden_state, ours, atol=2e-2)
    names = {path.name for path in (out / "world" / "clip").iterdir()}
    assert {"vocab.json", "merges.txt", "preprocessor_config.json"} <= names
    assert "processor_config.json" not in names  # transformers 4 stumbles over version 5's
    assert {"vocab.json", "merges.txt"} <= {path.name for path in (out / "world" / "tokenizer").iterdir()}


def test_a_student_step_lands_on_its_target() -> None:
    times, signal, noise = diffusion.levels(4)
    assert times.tolist() == [999, 749, 499, 249]
    assert float(signal[0]) < 1e-3
    x, target = torch.randn(2, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    for k in range(4):
        level = (signal[k], noise[k], signal[k + 1], noise[k + 1])
        landed = student.step(x, student.velocity(x, target, *level), *level)
        assert torch.allclose(landed, target, atol=1e-4)


def test_a_student_step_is_the_schedulers_step() -> None:
    schedule = diffusion.scheduler()
    schedule.set_timesteps(4)
    times, signal, noise = diffusion.levels(4)
    x, v = torch.randn(2, 1, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    for k, t in enumerate(times):
        theirs = schedule.step(v, t, x).prev_sample
        assert torch.allclose(student.step(x, v, signal[k], noise[k], signal[k + 1], noise[k + 1]), theirs, atol=1e-5)


class Arc(torch.nn.Module):
    """A network that knows the one noise and picture there are, and gives the v of their arc."""

    def __init__(self, noise: torch.Tensor, x0: torch.Tensor) -> None:
        super().__init__()
        self.noise, self.x0 = noise, x0

    def forward(self, x: torch.Tensor, t: torch.Tensor, told: torch.Tensor) -> object:
        a = diffusion.signal_of(diffusion.scheduler())[t.reshape(-1)].view(-1, 1, 1, 1)
        v = a * self.noise - (1 - a * a).sqrt() * self.x0
        return type("Out", (), {"sample": v})()


def test_on_a_reflowed_arc_every_lesson_is_solved_and_few_steps_land_exactly() -> None:
    """Reflow's v is the point to point v and the unrolled one: a straight arc is right in any number of steps."""
    noise, x0 = torch.randn(2, 3, 4, 4, 4, generator=torch.Generator().manual_seed(2))
    told, at = torch.zeros(3, 1, 1), torch.tensor([999, 500, 10])
    assert float(student.reflow(Arc(noise, x0), noise, x0, told, at)) < 1e-9
    _, signal, sigma = diffusion.levels(5)
    points = torch.stack([a * x0 + s * noise for a, s in zip(signal, sigma, strict=True)], 1)
    assert float(student.unrolled(Arc(noise, x0), points, told, 5)) < 1e-7
    which = torch.tensor([0, 2, 4])
    rows = torch.arange(3)
    value = student.stepwise(Arc(noise, x0), points[rows, which], points[rows, which + 1], told, which, 5)
    assert float(value) < 1e-6


def test_times_dwell_where_geometry_breaks() -> None:
    signals = diffusion.signal_of(diffusion.scheduler())
    drawn = diffusion.times(5000, torch.Generator().manual_seed(0), signals)
    assert int(drawn.min()) >= 0
    assert int(drawn.max()) < len(signals)
    told = signals[drawn]
    inside = float(((told >= 0.5) & (told <= 0.9)).float().mean())
    flat = float(((signals >= 0.5) & (signals <= 0.9)).float().mean())
    assert inside > flat + 0.1
    assert torch.equal(drawn, diffusion.times(5000, torch.Generator().manual_seed(0), signals))


def test_a_path_is_the_guided_samplers(out: Path) -> None:
    ground, teacher = ground_of(out), UNet2DConditionModel.from_pretrained(out / "unet" / "model").eval()
    noise = torch.randn(2, *TINY.shape, generator=torch.Generator().manual_seed(3))
    told = ["a cat", "a flower in bloom"]
    points = paths.guided_path(teacher, ground.texts, told, noise, TINY, TINY.student_steps, HERE)
    made = diffusion.sample(teacher, ground.texts, told, noise, HERE, TINY.guidance, TINY.teacher_steps)
    assert torch.equal(points[:, 0], noise)
    assert torch.allclose(points[:, -1], made, atol=1e-6)


def test_a_perfect_teacher_climbs_the_whole_ladder(out: Path) -> None:
    """A network that gives the true v finishes any noised picture as the autoencoder keeps it."""
    ground = ground_of(out)
    noise = torch.randn(ground.held.latents.shape, generator=torch.Generator().manual_seed(11))

    class Perfect(torch.nn.Module):
        def forward(self, x: torch.Tensor, t: torch.Tensor, told: torch.Tensor) -> object:
            x0 = ground.held.latents.float()
            a = diffusion.signal_of(diffusion.scheduler())[t]
            return type("Out", (), {"sample": (a * noise - (1 - a * a).sqrt() * x0).repeat(2, 1, 1, 1)})()

    for name, guidance in (("ladder", 2.0), ("unguided", 1.0)):
        heights = ladder.ladder(Perfect(), ground.vae, ground.texts, ground.held, HERE, guidance)  # type: ignore[arg-type]
        assert list(heights) == [f"{name} {time}" for time in ladder.TIMES]
        assert min(heights.values()) > 60


def test_mirrored_latents_are_those_of_the_mirrored_pictures(out: Path) -> None:
    ground = ground_of(out)
    assert len(ground.latents) == 2 * len(ground.split)
    flipped = ground.split.batch(torch.tensor([5])).flip(-1)
    wanted = autoencoder.encode(ground.vae, flipped)
    assert torch.allclose(ground.latents[len(ground.split) + 5].float(), wanted[0], atol=5e-3)
    row = next(i for i, told in enumerate(ground.split.captions) if any("left" in text for text in told))
    picks = [0.21 + 0.79 * k / 50 for k in range(50)]
    plain = {texts.text_for(ground.split, row, pick) for pick in picks}
    mirror = {texts.text_for(ground.split, len(ground.split) + row, pick) for pick in picks}
    assert {text.replace("left", "right") for text in plain if "left" in text} <= mirror


def test_a_latents_colours_are_fitted_on_the_scenes() -> None:
    """Of an encoder whose latents are the picture's own colours, halved and with a fourth channel of nothing."""

    class Plain:
        class config:
            scaling_factor = 0.5

        def encode(self, x: torch.Tensor) -> object:
            small = torch.nn.functional.avg_pool2d(x, TINY.shapes.factor)
            mean = torch.cat([small, torch.zeros_like(small[:, :1])], 1)
            return type("Out", (), {"latent_dist": type("Moments", (), {"mean": mean})()})()

    found = export.colours_of(Plain(), TINY, 2)  # type: ignore[arg-type]
    wanted = torch.cat([2 * torch.eye(3), torch.zeros(1, 3)])
    assert torch.allclose(torch.tensor(found["factors"]), wanted, atol=1e-3)
    assert torch.allclose(torch.tensor(found["bias"]), torch.zeros(3), atol=1e-3)


def test_symmetries_of_latents_are_symmetries_of_the_square() -> None:
    x = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    turns = [autoencoder.turned(x, which) for which in range(8)]
    assert torch.equal(turns[0], x)
    assert len({tuple(turn.flatten().tolist()) for turn in turns}) == 8


def test_what_halving_takes_from_latents_is_their_high_frequencies() -> None:
    at = torch.arange(16, dtype=torch.float64)
    wave = [torch.cos(torch.pi * (at + 0.5) * k / 16) for k in (0, 2, 6, 14)]
    rough = [float(autoencoder.roughness((w[:, None] * w[None]).expand(1, 2, 16, 16))) for w in wave]
    share = [r / float((w[:, None] * w[None]).square().mean()) for r, w in zip(rough, wave, strict=True)]
    assert rough[0] == pytest.approx(0, abs=1e-12)  # a level one loses nothing
    assert share[1] < 0.1 < share[2] < share[3]
    assert share[3] == pytest.approx(1, abs=0.05)  # next to all of what turns from cell to cell


@pytest.mark.parametrize(("meets", "kept"), [(lambda share: True, 1.0), (lambda share: share < 0.3, 0.25),
                                            (lambda share: False, 0.0)])  # fmt: skip
def test_of_a_gan_as_much_is_kept_as_does_not_ring(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meets: Callable[[float], bool], kept: float
) -> None:
    shutil.copytree(out / "autoencoder" / "model", tmp_path / "autoencoder" / "model")
    vae, own = (AutoencoderKL.from_pretrained(tmp_path / "autoencoder" / "model") for _ in range(2))
    last = polish.Studio(AutoencoderKL.from_pretrained(tmp_path / "autoencoder" / "model"), polish.Critic())
    with torch.no_grad():
        last.decoder.conv_out.bias += 1

    def figures(mix: AutoencoderKL, *_: object) -> dict[str, float]:
        share = float((mix.decoder.conv_out.bias - own.decoder.conv_out.bias).detach().mean())
        return {"finest": 0.9, "edges": 1.0 if meets(share) else 1.2, "psnr 0": 30.0}

    monkeypatch.setattr(polish, "figures_of", figures)
    (tmp_path / "polish").mkdir()
    polish._choose(tmp_path / "polish", vae, last, None, Machine(seconds=0))  # type: ignore[arg-type]
    assert json.loads((tmp_path / "polish" / "choice.json").read_text())["share"] == kept
    written = AutoencoderKL.from_pretrained(tmp_path / "polish" / "model")
    torch.testing.assert_close(written.decoder.conv_out.bias, own.decoder.conv_out.bias + kept)


def test_the_critic_moves_only_itself_and_the_decoder_only_for_its_share() -> None:
    torch.manual_seed(0)
    vae = autoencoder.build(TINY)
    studio = polish.Studio(vae, polish.Critic())
    real, made = torch.rand(2, 3, 32, 32) * 2 - 1, studio(torch.randn(2, 4, 4, 4))
    error = (made - real).abs().mean()
    fool, judge = polish.adversary(studio, real, made, error)
    judge.backward(retain_graph=True)
    assert all(p.grad is None for p in studio.decoder.parameters())
    moved = [p.grad.clone() for p in studio.critic.parameters()]
    fool.backward(retain_graph=True)
    assert all(torch.equal(p.grad, before) for p, before in zip(studio.critic.parameters(), moved, strict=True))
    last = studio.decoder.conv_out.weight
    (by_error,) = torch.autograd.grad(error, last)
    assert float(last.grad.norm() / by_error.norm()) == pytest.approx(polish.MOST, rel=1e-3)


def test_the_polish_moves_no_latent(out: Path) -> None:
    before, after = (AutoencoderKL.from_pretrained(out / stage / "model") for stage in ("autoencoder", "polish"))
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    assert torch.equal(before.encode(x).latent_dist.mean, after.encode(x).latent_dist.mean)
    assert before.config.scaling_factor == after.config.scaling_factor
    assert 0 <= json.loads((out / "polish" / "choice.json").read_text())["share"] <= 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["gpu", "gpu-256"])
def test_a_large_preset_takes_a_step_of_everything(name: str, tmp_path: Path) -> None:
    """The GPU presets' own networks, on a handful of pictures, one step a stage: a rehearsal."""
    full = presets.find(name)
    stages = {stage: dataclasses.replace(getattr(full, stage), batch=4, steps=1) for stage in presets.TRAINED}
    few = dataclasses.replace(full.data, train=2, held=1, early=2)
    preset = dataclasses.replace(full, data=few, paths=2, beginnings=0, teacher_steps=5, columns=1, **stages)
    world = casting.cast_world(tmp_path, preset, HERE, "tiny_vae")
    assert world is not None
    size = full.data.size
    assert world.vae(torch.zeros(1, 3, size, size)).sample.shape == (1, 3, size, size)
    assert world.unet.config.sample_size == 16
    assert world.tiny_vae.decode(torch.zeros(1, *preset.shape)).sample.shape == (1, 3, size, size)
