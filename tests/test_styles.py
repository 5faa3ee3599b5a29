"""LoRA for style: several, each at a strength, in films, takes and shows; what cannot be is one line."""

from __future__ import annotations

import math
import shutil
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from standins import tiny_world, tiny_xl
from standins.decoders import PROMPT, latents, world
from standins.studio import PATIENCE
from test_render_director import Play

from installation.control.controls import LORAS as PLAYED
from installation.control.controls import STRONGEST as PLAYED_TO
from installation.control.controls import LoopControls
from installation.control.parameters import loop_table
from installation.film import make
from installation.ipc.jsonable import table
from installation.ipc.messages import Tick
from installation.render.builder import Builder
from installation.render.live_preset import elsewhere, performed
from installation.rig import open_studio
from installation.score.filmable import check
from installation.takes.scenes import TakeScenes
from latentworld import preset, worlds
from latentworld.decoding import (
    DecoderSettings,
    faithful_decoder,
    foresight,
    openvino_models,
    scout_decoder,
    world_decoder,
)
from latentworld.decoding.lora_mix import OpenedLora, mixed
from latentworld.decoding.profile import Profile
from latentworld.decoding.settings import LoraSettings
from latentworld.decoding.styles import KEPT
from latentworld.errors import ControlError, PresetError, WorldDamaged, WorldError, WorldMismatch
from latentworld.preset import Preset
from latentworld.sections import LORAS, STRONGEST
from latentworld.worlds.find import find

pytestmark = [pytest.mark.usefixtures("own_cache"), pytest.mark.filterwarnings("ignore:__array__ implementation")]
QUERY = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
TEXT = "text_model.encoder.layers.0.self_attn.q_proj"


def lora(file: Path, seed: int = 1, size: int = 64, text: str = "", width: int = 32, scale: float = 0.3) -> Path:
    """A LoRA of one layer of the UNet, and of one of a text encoder by its folder's name."""
    drawn = torch.Generator().manual_seed(seed)
    parts = {f"unet.{QUERY}.lora_A.weight": (2, size), f"unet.{QUERY}.lora_B.weight": (size, 2)}
    if text:
        parts |= {f"{text}.{TEXT}.lora_A.weight": (2, width), f"{text}.{TEXT}.lora_B.weight": (width, 2)}
    save_file({name: scale * torch.randn(*shape, generator=drawn) for name, shape in parts.items()}, file)
    return file


def with_loras(settings: DecoderSettings, *loras: tuple[Path, float]) -> DecoderSettings:
    return replace(settings, loras=tuple(LoraSettings(str(file), strength) for file, strength in loras))


def product(file: Path, layer: str = f"unet.{QUERY}") -> torch.Tensor:
    held = load_file(file)
    return held[f"{layer}.lora_B.weight"] @ held[f"{layer}.lora_A.weight"]


# --- fusing ------------------------------------------------------------------------------------------------------


def test_several_are_added_each_times_its_strength(tmp_path: Path) -> None:
    a, b = lora(tmp_path / "a.safetensors"), lora(tmp_path / "b.safetensors", 2)
    base = world("plain").denoiser
    before = {name: weight.clone() for name, weight in base.state_dict().items()}
    opened = [(OpenedLora.read(a), 0.7), (OpenedLora.read(b), -0.2)]
    made = mixed(base, opened, "denoiser")
    name = f"{QUERY}.weight"
    wanted = before[name] + 0.7 * product(a) - 0.2 * product(b)
    torch.testing.assert_close(made.state_dict()[name], wanted, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(mixed(base, opened[::-1], "denoiser").state_dict()[name], made.state_dict()[name])
    assert all(torch.equal(weight, before[other]) for other, weight in base.state_dict().items())
    own = dict(base.named_parameters())
    shared = [other for other, weight in made.named_parameters() if weight.data_ptr() == own[other].data_ptr()]
    assert set(own) - set(shared) == {name}  # what no LoRA changes is there once


def test_a_dora_goes_the_straight_way(tmp_path: Path) -> None:
    parts = load_file(lora(tmp_path / "a.safetensors"))
    file = tmp_path / "dora.safetensors"
    save_file(parts | {f"unet.{QUERY}.lora_magnitude_vector": torch.linspace(0.5, 2, 64)}, file)
    opened, base, name = OpenedLora.read(file), world("plain").denoiser, f"{QUERY}.weight"
    own = base.state_dict()[name]
    whole, half = (mixed(base, [(opened, strength)], "denoiser").state_dict()[name] for strength in (1.0, 0.5))
    torch.testing.assert_close(whole.norm(dim=1), torch.linspace(0.5, 2, 64), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(half, (own + whole) / 2, atol=1e-6, rtol=1e-5)


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    file = lora(tmp_path / "a.safetensors", scale=math.nan)
    with pytest.raises(WorldDamaged, match="not finite"):
        mixed(world("plain").denoiser, [(OpenedLora.read(file), 1.0)], "denoiser")


@pytest.mark.parametrize("kind", ["faithful", "scout"])
def test_pictures_follow_strengths_and_0_is_the_world_itself(kind: str, tmp_path: Path) -> None:
    file = lora(tmp_path / "a.safetensors", text="text_encoder")
    made = faithful_decoder if kind == "faithful" else scout_decoder
    plain = made(world(), steps=2, batch=1)
    none, half, whole = (plain.variant(with_loras(plain.settings, (file, s))) for s in (0.0, 0.5, 1.0))
    z = latents(1)
    assert torch.equal(none(z, PROMPT), plain(z, PROMPT))
    assert none.profile.hash == plain.profile.hash
    assert none.texts is plain.texts
    pictures = [one(z, PROMPT) for one in (none, half, whole)]
    assert all((a - b).abs().max() > 1e-4 for a, b in pairwise(pictures))
    assert half.profile.loras == f"{worlds.files.digest([file], tmp_path)}:0.5"
    assert "loras was" in " ".join(plain.profile.differences(half.profile))
    again = world_decoder(world(), half.settings)
    assert torch.equal(again(z, PROMPT), pictures[1])
    assert Profile.read(half.profile.record()) == half.profile


def test_the_last_sets_of_strengths_are_kept(tmp_path: Path) -> None:
    file = lora(tmp_path / "a.safetensors")
    plain = faithful_decoder(world(), steps=1, batch=1)
    wanted = [with_loras(plain.settings, (file, number / 10)) for number in range(1, KEPT + 2)]
    assert not plain.has(wanted[0])
    for settings in wanted:
        plain.variant(settings)
    assert plain.has(wanted[-1])
    assert plain.has(with_loras(plain.settings, (file, 0.0)))
    assert not plain.has(wanted[0])
    assert plain.variant(wanted[-1]).recipe is plain.variant(wanted[-1]).recipe


def test_both_text_encoders_of_sdxl_are_changed(tmp_path: Path) -> None:
    model = worlds.load(tiny_xl.world())
    plain = faithful_decoder(model, steps=1, guidance=1.0, batch=1)
    words, pooled = plain.texts.text("a cat")
    for part, width, columns in (("text_encoder", 64, slice(0, 64)), ("text_encoder_2", 128, slice(64, 192))):
        file = lora(tmp_path / f"{part}.safetensors", size=128, text=part, width=width)
        styled = plain.variant(with_loras(plain.settings, (file, 0.8)))
        made, other = styled.texts.text("a cat")
        changed = (made - words).abs().amax(dim=(0, 1)) > 1e-5
        assert changed[columns].any()
        assert changed.sum() == changed[columns].sum()  # of that encoder alone
        assert torch.equal(other, pooled) == (part == "text_encoder")
        network = (model.text.first if part == "text_encoder" else model.text.second).encoder  # type: ignore[attr-defined]
        name = next(key for key in network.state_dict() if key.endswith("layers.0.self_attn.q_proj.weight"))
        own = (styled.texts.read.first if part == "text_encoder" else styled.texts.read.second).encoder  # type: ignore[attr-defined]
        wanted = network.state_dict()[name] + 0.8 * product(file, f"{part}.{TEXT}")
        torch.testing.assert_close(own.state_dict()[name], wanted, atol=1e-6, rtol=1e-5)
        for kohya in ("lora_te1_", "lora_te2_"):
            assert (kohya[-2] == "1") == (part == "text_encoder") or OpenedLora.read(renamed(file, part, kohya))


def renamed(file: Path, part: str, stem: str) -> Path:
    """The same as kohya's tools name it."""
    other = file.with_stem(f"{file.stem}-{stem}")
    ends = {".lora_A.weight": ".lora_down.weight", ".lora_B.weight": ".lora_up.weight"}

    def name(key: str) -> str:
        own = next(end for end in ends if key.endswith(end))
        begin, _, layer = key.removesuffix(own).partition(".")
        return f"{stem if begin == part else 'lora_unet_'}{layer.replace('.', '_')}{ends[own]}"

    save_file({name(key): value for key, value in load_file(file).items()}, other)
    return other


def test_kohyas_names_of_the_second_encoder_are_its_own(tmp_path: Path) -> None:
    file = lora(tmp_path / "a.safetensors", size=128, text="text_encoder_2", width=128)
    plain = faithful_decoder(worlds.load(tiny_xl.world()), steps=1, guidance=1.0, batch=1)
    one, other = (
        plain.variant(with_loras(plain.settings, (each, 1.0))).texts.text("a cat")
        for each in (file, renamed(file, "text_encoder_2", "lora_te2_"))
    )
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


# --- presets -----------------------------------------------------------------------------------------------------


def journey(folder: Path, *strengths: float, **more: Any) -> Preset:
    """A preset beside its LoRA, on a tiny world."""
    files = [lora(folder / f"{number}.safetensors", number, text="text_encoder") for number, _ in enumerate(strengths)]
    written = [
        f'[[world.loras]]\nfile = "{file.name}"\nstrength = {s}' for file, s in zip(files, strengths, strict=True)
    ]
    lines = [
        "[world]", f'name = "{tiny_world.folder()}"', *written, "[decoder]", 'engine = "eager"', 'device = "cpu"',
        "steps = 2", "guidance = 3.0", "[prompt]", 'positive = "a cat"', 'negative = "fog"', "[show]", "batch = 1",
        "[pilot]", 'mode = "off"', *(f"{key} = {value}" for key, value in more.items()),
    ]  # fmt: skip
    (folder / "piece.toml").write_text("\n".join(lines))
    return preset.load(folder / "piece.toml")


def test_a_preset_names_files_beside_itself(tmp_path: Path) -> None:
    made = journey(tmp_path, 0.8, -0.5)
    assert [Path(each.file) for each in made.world.loras] == [tmp_path / "0.safetensors", tmp_path / "1.safetensors"]
    assert preset.parse(preset.texts.toml(preset.dump(made))) == made
    studio = open_studio(made)
    assert [each.strength for each in studio.settings.loras] == [0.8, -0.5]
    moved = studio.variant(studio.settings.styled((None, 0.25)))
    assert [each.strength for each in moved.document.world.loras] == [0.8, 0.25]
    assert moved.scout.settings.loras == moved.settings.loras  # what looks ahead sees the same style


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"strength": math.inf}, "finite"),
        ({"strength": math.nan}, "finite"),
        ({"strength": 2.5}, r"less than or equal to 2|2\.5"),
        ({"strength": "much"}, "strength"),
        ({"file": ""}, "file"),
        ({"files": "a"}, "files"),
    ],
)
def test_what_a_preset_says_wrongly_is_one_line(change: dict[str, object], line: str) -> None:
    with pytest.raises(PresetError, match=line) as told:
        preset.parse({"world": {"loras": [{"file": "a.safetensors"} | change]}})
    assert "\n" not in str(told.value)


def test_more_than_can_be_played_are_refused() -> None:
    assert (LORAS, STRONGEST) == (PLAYED, PLAYED_TO)
    with pytest.raises(PresetError, match="loras"):
        preset.parse({"world": {"loras": [{"file": "a.safetensors"}] * (LORAS + 1)}})


def test_a_strength_that_is_no_number_is_refused_everywhere() -> None:
    for strength in (math.nan, math.inf):
        with pytest.raises(PresetError, match="finite"):
            LoraSettings("a.safetensors", strength)
        with pytest.raises(ControlError, match=r"lora.1.strength takes a finite number"):
            loop_table()["lora.1.strength"].check(strength)
    assert loop_table()["lora.1.strength"].check(9.0) == STRONGEST
    assert LoraSettings("a", -0.001) == LoraSettings("a", 0.0)


def test_a_lora_of_another_family_is_told_before_a_weight_is_read(tmp_path: Path) -> None:
    found, size = find(tiny_world.folder()), (64, 64)
    for file, line in (
        (lora(tmp_path / "wide.safetensors", size=128), "does not fit"),
        (lora(tmp_path / "two.safetensors", text="text_encoder_2"), "parts for a text_encoder_2, and this world has"),
        (tmp_path / "none.safetensors", "there is no LoRA file"),
    ):  # fmt: skip
        settings = with_loras(DecoderSettings("faithful", 1, size=size), (file, 1.0))
        with pytest.raises(WorldError, match=line) as told:
            foresight.check(found, settings)
        assert "\n" not in str(told.value)
    with pytest.raises(WorldMismatch, match="no text_encoder_2"):
        world("plain").text.changed(lambda own: own, "text_encoder_2")
    with pytest.raises(WorldMismatch, match=r"analytic world has no networks: leave world\.loras out"):
        open_studio(preset.load("analytic").changed(world={"loras": [{"file": "a.safetensors"}]}))


def test_a_record_of_other_lora_is_refused() -> None:
    own = DecoderSettings("faithful", 1, loras=(LoraSettings("a", 0.5),))
    assert own.recorded({"loras": [0.25]}).loras[0].strength == 0.25
    assert own.recorded({}) == own.recorded({"loras": None}) == own
    for said in ([0.1, 0.2], "1", [True], ["a"]):
        with pytest.raises(PresetError, match=r"decoder.loras = "):
            own.recorded({"loras": said})


# --- films and takes ----------------------------------------------------------------------------------------------


def frames(folder: Path) -> np.ndarray:
    return np.stack([cv2.imread(str(file)) for file in sorted(folder.glob("frames/*.png"))])


def test_a_film_follows_a_fade_frame_by_frame_and_again(tmp_path: Path) -> None:
    made = journey(tmp_path, 0.0).changed(
        film={"seconds": 1.0, "fps": 6.0, "codec": "frames"}, decoder={"batch": 2}, pacing={"kind": "latent"},
        score=[{"at": 0.2, "over": 0.5, "ease": "linear", "set": {"world.loras.0.strength": 1.0}}],
    )  # fmt: skip
    make.film(made, tmp_path / "one")
    make.film(made, tmp_path / "two")
    np.testing.assert_array_equal(frames(tmp_path / "one"), frames(tmp_path / "two"))
    for strength, number in ((0.0, 0), (1.0, -1)):
        still = made.changed(score=(), world={"loras": [{"file": made.world.loras[0].file, "strength": strength}]})
        folder = tmp_path / f"still{number}"
        make.film(still, folder)
        np.testing.assert_array_equal(frames(folder)[number], frames(tmp_path / "one")[number])
    assert len(frames(tmp_path / "one")) == 6


def test_a_score_for_a_lora_that_is_not_there_is_refused(tmp_path: Path) -> None:
    made = journey(tmp_path, 0.5).changed(score=[{"at": 1, "set": {"lora.2.strength": 1.0}}])
    with pytest.raises(PresetError, match=r"lora.2.strength: the preset names 1 LoRA, none of number 2"):
        check(made)


# --- shows -------------------------------------------------------------------------------------------------------


def playing(folder: Path, *strengths: float) -> tuple[Play, Builder]:
    made = journey(folder, *strengths)
    studio = open_studio(performed(made))
    builder, play = Builder(performed(made), lambda: 0.0), Play(journey=made, studio=studio)
    play.model._builder = builder
    return play, builder


def until(play: Play, builder: Builder, values: dict[str, Any], strengths: tuple[float, ...]) -> None:
    for _ in range(600):
        if shown(play) == strengths:
            return
        builder._thread.join(0.02)
        assert len(play.ticks(1, values)) == 1
    raise AssertionError(f"{shown(play)} is shown, {strengths} were asked for")


def shown(play: Play) -> tuple[float, ...]:
    return tuple(each.strength for each in play.model.studio.settings.loras)


def test_a_strength_is_played_and_pictures_never_stop(tmp_path: Path) -> None:
    play, builder = playing(tmp_path, 0.0, 1.0)
    gate, true = threading.Event(), builder.build
    builder.build = lambda *order: (gate.wait(PATIENCE), true(*order))[1]  # type: ignore[method-assign, assignment]
    assert len(play.ticks(4, {"lora.1.strength": 0.6})) == 4  # meanwhile the show goes on as it was
    assert shown(play) == (0.0, 1.0)
    gate.set()
    until(play, builder, {"lora.1.strength": 0.6}, (0.6, 1.0))
    assert play.scenes()[-1].decoder.loras == (0.6, 1.0)
    index = [number for tick in play.told(Tick) for number in tick.index]
    assert index == list(range(len(index)))
    play.ticks(1, {"lora.1.strength": 0.6})  # a row of pictures under it, for what was there is kept:
    play.ticks(1, {"lora.1.strength": None})
    until(play, builder, {}, (0.0, 1.0))
    assert play.model.studio.decoder.has(play.model.studio.settings.styled((0.6, None)))
    assert play.faults == []
    builder.close()


def test_a_fade_shows_what_is_finished_on_its_way(tmp_path: Path) -> None:
    play, builder = playing(tmp_path, 0.0)
    gate, true, built = threading.Semaphore(0), builder.build, []

    def build(order: Any, *rest: Any) -> Any:
        gate.acquire(timeout=PATIENCE)
        built.append(order.settings.loras[0].strength)
        return true(order, *rest)

    builder.build = build  # type: ignore[method-assign]
    for step in range(1, 6):
        play.ticks(1, {"lora.1.strength": step / 10})
    assert shown(play) == (0.0,)
    gate.release()
    until(play, builder, {"lora.1.strength": 0.5}, (0.1,))  # the first that was asked for is not thrown away
    gate.release()
    gate.release()
    until(play, builder, {"lora.1.strength": 0.5}, (0.5,))
    assert built[0] == 0.1
    assert built[-1] == 0.5
    builder.close()


def test_what_was_on_the_wall_is_made_again(tmp_path: Path) -> None:
    """Same position, same controls, same picture: of a scene that a take keeps, and of a renderer of its own."""
    play, builder = playing(tmp_path, 0.0)
    until(play, builder, {"lora.1.strength": 0.7}, (0.7,))
    play.ticks(1, {"lora.1.strength": 0.7})
    builder.close()
    scene = play.scenes()[-1]
    fresh = open_studio(performed(journey(tmp_path, 0.0)))
    settings = fresh.recorded(table(scene.decoder))
    assert settings.loras[0].strength == 0.7
    made = fresh.variant(settings)
    assert made.decoder.profile == play.model.studio.decoder.profile
    z = fresh.plane.latents(fresh.plane.unit(np.zeros(1), np.zeros(1)))
    assert torch.equal(made.decoder(z, scene.prompt), play.model.studio.decoder(z, scene.prompt))
    from installation.rig import build

    rig = build(journey(tmp_path, 0.0))
    for exact in (True, False):
        filmed = TakeScenes(rig, open_studio, exact=exact)(scene)
        assert filmed.decoder.settings.loras[0].strength == 0.7


def test_a_lora_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    play, builder = playing(tmp_path, 0.5)
    play.ticks(3, {"lora.2.strength": 1.0})
    assert play.faults == ["lora.2.strength moves nothing: there is 1 LoRA here; name files in world.loras"]
    assert shown(play) == (0.5,)
    builder.close()


def test_a_file_that_went_bad_meanwhile_is_one_line_and_the_show_goes_on(tmp_path: Path) -> None:
    play, builder = playing(tmp_path, 0.0)
    shutil.copy(lora(tmp_path / "other.safetensors", size=128), tmp_path / "0.safetensors")
    for _ in range(600):
        play.ticks(1, {"lora.1.strength": 0.4})
        if play.faults:
            break
        builder._thread.join(0.02)
    assert len(play.ticks(3, {"lora.1.strength": 0.4})) == 3
    assert len(play.faults) == 1
    assert "does not fit" in play.faults[0]
    assert play.faults[0].endswith("the show goes on as it was")
    assert shown(play) == (0.0,)
    builder.close()


def test_another_world_is_opened_without_them(tmp_path: Path) -> None:
    made = journey(tmp_path, 0.5)
    assert elsewhere(made, "embedded", DecoderSettings("scout", 4)).world.loras == ()


def test_controls_go_to_another_process_and_back() -> None:
    controls = LoopControls.of({"lora.1.strength": 0.5, "lora.4.strength": -1.0})
    assert controls.strengths == (0.5, None, None, -1.0)
    assert LoopControls.of(controls.values()) == controls


def test_a_converted_model_is_given_weights_and_makes_what_one_converted_anew_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    file = lora(tmp_path / "a.safetensors")
    plain = faithful_decoder(world(), steps=2, batch=1, engine="openvino")
    styled = with_loras(plain.settings, (file, 0.7))
    first = world_decoder(world(), styled)(latents(1), PROMPT)  # before the world's own was ever converted
    own, real, converted = plain(latents(1), PROMPT), openvino_models._convert, []
    monkeypatch.setattr(openvino_models, "_convert", lambda *rest: converted.append(rest) or real(*rest))
    given = plain.variant(styled)(latents(1), PROMPT)
    assert not converted
    assert torch.equal(given, first)
    monkeypatch.setattr(openvino_models, "_given", lambda *rest: False)
    anew = world_decoder(world(), styled)(latents(1), PROMPT)
    assert len(converted) == 1
    assert torch.equal(given, anew)
    assert not torch.equal(given, own)
    assert torch.equal(faithful_decoder(world(), steps=2, batch=1, engine="openvino")(latents(1), PROMPT), own)
