"""What the foundry refuses, and that nothing is lost by it."""

from __future__ import annotations

import dataclasses
import functools
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from foundry import __main__ as command
from foundry import bench, casting, export, judge, keeping, polish, ranks, training
from foundry.errors import FoundryError, brief
from foundry.files import save_network
from foundry.presets import TINY


def begun(out: Path, *folders: str) -> Path:
    """A cast's folder that has these, made by preset `tiny`."""
    for name in folders:
        (out / name).mkdir(parents=True)
        (out / name / "work").write_text("days of it")
    casting.settle(out, TINY)
    return out


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> object:
    """What the command line ends with: a line, or an exit status."""
    monkeypatch.setattr(sys, "argv", ["foundry", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        command.main()
    return ended.value.code


def test_a_finished_stage_is_refused_under_other_settings_and_those_after_it_are_named(tmp_path: Path) -> None:
    out = begun(tmp_path / "cast", "data", "autoencoder", "latents", "unet", "paths")
    casting.settle(out, dataclasses.replace(TINY, unet=dataclasses.replace(TINY.unet, steps=70)))  # a budget may change
    for changed, refused in (
        (dataclasses.replace(TINY, paths=40), "paths"),
        (dataclasses.replace(TINY, latents=dataclasses.replace(TINY.latents, smooth=9.0)), "autoencoder"),
    ):
        with pytest.raises(
            FoundryError, match=f"{refused} was cast with other settings: use another --cast, or"
        ) as said:
            casting.settle(out, changed)
    assert str(said.value).endswith("delete there: autoencoder, unet, paths, latents")
    casting.settle(out, TINY)
    assert {path.read_text() for path in out.glob("*/work")} == {"days of it"}
    (out / "settings.json").write_text("{")
    with pytest.raises(FoundryError, match=r"settings\.json is damaged"):
        casting.settle(out, TINY)


@pytest.mark.parametrize("more", ["nan", "inf", "-1", "0"])
def test_a_budget_of_no_size_throws_nothing_away(tmp_path: Path, more: str, monkeypatch: pytest.MonkeyPatch) -> None:
    out = begun(tmp_path / "cast", "unet", "student")
    (out / "unet" / "checkpoint.pt").write_bytes(b"all there is")
    said = run(monkeypatch, "cast", "--preset", "tiny", "--cast", out, "--longer", "unet", "--more", more)
    assert str(said).startswith("error: --more")
    assert (out / "student" / "work").exists()
    said = run(monkeypatch, "cast", "--preset", "tiny", "--cast", out, "--minutes", more)
    assert str(said).startswith("error: --minutes")


def test_a_stage_of_other_settings_is_not_made_longer(tmp_path: Path) -> None:
    out = begun(tmp_path / "cast", "unet")
    for name, mark in (("checkpoint.pt", TINY.fingerprint("unet")), ("level.pt", "another")):
        torch.save({"averages": {}, "fingerprint": mark, "spent": 1.0}, out / "unet" / name)
    before = (out / "unet" / "checkpoint.pt").read_bytes()
    with pytest.raises(FoundryError, match=r"level\.pt was cast with other settings"):
        casting.lengthen(out, TINY, "unet", 1.0)
    assert (out / "unet" / "checkpoint.pt").read_bytes() == before


def test_a_world_replaces_nothing_but_a_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    export.replaceable(mine)
    export.replaceable(tmp_path / "not there yet")
    (mine / "thesis.txt").write_text("years of it")
    assert "is no world: it would be replaced" in str(run(monkeypatch, "export", mine, "--preset", "tiny"))
    with pytest.raises(FoundryError, match="is no world"):
        export.replaceable(mine / "thesis.txt")
    assert (mine / "thesis.txt").read_text() == "years of it"
    (mine / "card.toml").write_text("")
    export.replaceable(mine)


def test_what_is_brought_out_does_not_take_the_place_of_what_a_cast_begins_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Path(keeping.__file__).parent / "checkpoints"
    said = run(monkeypatch, "cast", "--cast", tmp_path / "cast", "--from", kept, "--bring", kept)
    assert "is --from too" in str(said)
    assert not list((tmp_path / "cast").glob("*"))


class Dies(nn.Module):
    """A network whose saving is interrupted after its configuration."""

    def save_pretrained(self, save_directory: str) -> None:
        """Half of it."""
        Path(save_directory).mkdir()
        (Path(save_directory) / "config.json").write_text("{}")
        raise KeyboardInterrupt


def test_a_network_is_saved_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        save_network(Dies(), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_polish_that_went_astray_is_left_out() -> None:
    own, astray = {"a": torch.ones(3)}, {"a": torch.full((3,), torch.nan)}
    assert torch.equal(polish.mixed(own, astray, 0.0)["a"], own["a"])
    assert polish.mixed(own, {"a": torch.zeros(3)}, 0.25)["a"].tolist() == [0.75] * 3


def refuse(told: str) -> None:
    """Work that is refused."""
    raise FoundryError(told)


def test_a_refusal_in_one_of_several_processes_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FoundryError) as said:
        ranks.spawn(2, tmp_path, functools.partial(refuse, "the checkpoint is damaged: delete it"))
    assert str(said.value) == "the checkpoint is damaged: delete it"
    assert not list(tmp_path.glob(".processes*"))


def test_bad_folders_are_refused_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, file = Path("latentworld/worlds/embedded").resolve(), tmp_path / "file"
    file.write_text("")
    for words, told in (
        (("judge", tmp_path / "nowhere"), "is no folder: give that of a world"),
        (("judge", tmp_path), "is no whole world (it lacks vae/config.json, "),
        (("adopt", tmp_path, "--preset", "tiny", "--cast", tmp_path / "a"), "is no whole world (it lacks"),
        (("judge", world, "--sheets", file), "File exists"),
        (("judge", world, "--sheets", tmp_path / "s", "--cast", tmp_path / "nothing"), "has no pictures of a cast"),
        (("cast", "--preset", "tiny", "--cast", file), str(file)),
        (("keep", file, "--preset", "tiny", "--cast", tmp_path / "none"), "nothing to keep"),
        (("cast", "--preset", "tiny", "--cast", tmp_path / "c", "--device", "foo"), "unknown device 'foo'"),
        (("cast", "--preset", "tiny", "--cast", tmp_path / "c", "--device", "mps"), "no mps device"),
    ):
        said = str(run(monkeypatch, *words))
        assert said.startswith("error: "), said
        assert told in said
        assert "\n" not in said


def test_a_card_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "load", lambda folder: None)
    for text in (b"\xff\xfe", b"= 3", b"name = 'a'", b"cast = 3"):
        (tmp_path / "card.toml").write_bytes(text)
        with pytest.raises(FoundryError, match=r"card\.toml is no card of a cast"):
            bench.bench_for(tmp_path, tmp_path, bench.QUICK)


def test_a_checkpoint_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    for state in ([1, 2], {"step": 3}):
        torch.save(state, path)
        with pytest.raises(FoundryError, match=r"is damaged .*: delete it"):
            training.opened(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FoundryError, match="is damaged"):
        training.opened(path)


def test_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(judge, "judge", stopped)
    assert run(monkeypatch, "judge", "anything") == 130
    assert "stopped: the same command goes on" in capsys.readouterr().out


def test_a_reason_is_one_line_and_says_something() -> None:
    class Wide(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.layer = nn.Linear(width, 1)

    with pytest.raises(RuntimeError) as error:
        Wide(2).load_state_dict(Wide(3).state_dict())
    assert "layer.weight" in brief(error.value)
    assert brief(ValueError()) == "ValueError"
