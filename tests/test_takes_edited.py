"""Takes that people edited: what they mean is done, what cannot be is named by its line."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from standins.takes import evening, performed, scene, way

from installation import takes
from installation.takes.take import mixed
from latentworld import __version__
from latentworld.errors import TakeError
from latentworld.prompts import Prompt

TIMES, UNITS, _ = way(12)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "evening.take"


@pytest.fixture
def lines(path: Path) -> list[str]:
    return evening(path)


def edited(path: Path, lines: list[str]) -> takes.Take:
    path.write_text("".join(lines))
    return takes.read(path)


def changed_line(line: str, **values: object) -> str:
    return json.dumps(json.loads(line) | values) + "\n"


def test_comments_blank_lines_and_other_line_ends_are_passed_over(lines: list[str], path: Path) -> None:
    plain = takes.read(path)
    path.write_bytes(b"\xef\xbb\xbf" + "# mine\n\n".join(lines).replace("\n", "\r\n").encode())
    read = takes.read(path)
    assert read.shots.unit.tobytes() == plain.shots.unit.tobytes()
    assert (len(read.scenes), read.complete, read.warnings) == (2, True, ())


def test_a_prompt_changed_in_the_text_is_honoured(lines: list[str], path: Path) -> None:
    take = edited(path, [line.replace('"dusk"', '"a storm"') for line in lines])
    assert take.scenes[0].prompt == Prompt("a storm", "fog")
    assert take.scenes[1].prompt.mixture == (("a storm", 0.5), ("dawn", 0.5))


@pytest.mark.parametrize("prompt", ["night", {"mix": "night", "not": ""}, {"mix": [["night", 2.0]], "not": [["", 1]]}])
def test_a_prompt_may_be_written_out(prompt: object, lines: list[str], path: Path) -> None:
    at = next(i for i, line in enumerate(lines) if '"scene": 1' in line)
    lines[at] = changed_line(lines[at], prompt=prompt)
    assert edited(path, lines).scenes[0].prompt == Prompt("night", "")


@pytest.mark.parametrize(("mode", "wanted"), [
    ("hand", "hand"), ("replay", "replay"), ("goal", "place"), ("take", "replay"), ("auto", "autopilot"),
    (["x"], "autopilot"),
])  # fmt: skip
def test_who_steered_is_read_in_the_words_of_before_too(
    mode: object, wanted: str, lines: list[str], path: Path
) -> None:
    at = next(i for i, line in enumerate(lines) if '"scene": 1' in line)
    lines[at] = changed_line(lines[at], walk={"kind": "orbit", "mode": mode})
    walk = edited(path, lines).scenes[0].walk
    assert (walk.steering, walk.spec) == (wanted, {"kind": "orbit"})


@pytest.mark.parametrize("key", ["values", "preset", "profile", "size", "world", "period"])
@pytest.mark.parametrize("value", [[1, 2], "text", {"a": []}, None, 1e999, [[[]]]])
def test_a_header_of_another_kind_is_named_or_passed_over(
    key: str, value: object, lines: list[str], path: Path
) -> None:
    lines[0] = changed_line(lines[0], **{key: value})
    with suppress(TakeError):  # nothing else
        edited(path, lines)


def test_lines_may_be_taken_out_and_times_shifted(lines: list[str], path: Path) -> None:
    frames = [i for i, line in enumerate(lines) if '"index"' in line]
    kept = [line for i, line in enumerate(lines) if i not in frames[3:5] and '"end"' not in line]
    take = edited(path, kept)
    assert len(take.shots) == 10
    assert take.shots.unit.tobytes() == np.delete(UNITS, [3, 4], axis=0).tobytes()
    for i in frames[6:]:
        lines[i] = changed_line(lines[i], time=json.loads(lines[i])["time"] + 60.0)
    assert edited(path, lines).seconds == pytest.approx(TIMES[-1] - TIMES[0] + 60)


def test_a_jump_may_be_said(lines: list[str], path: Path) -> None:
    at = next(i for i, line in enumerate(lines) if '"index": 44' in line)
    assert not takes.read(path).track.jump.any()
    lines[at] = changed_line(lines[at], cut=True)
    assert np.flatnonzero(edited(path, lines).track.jump).tolist() == [3]


def test_another_plane_is_no_way(lines: list[str], path: Path) -> None:
    at = next(i for i, line in enumerate(lines) if '"scene": 2' in line and '"prompt"' in line)
    lines[at] = changed_line(lines[at], plane={"seeds": [1, 2, 3]})
    take = edited(path, lines)
    assert np.flatnonzero(take.track.jump).tolist() == [5]
    assert take.scene(5.5) is take.scenes[0]
    assert take.scene(6.0) is take.scenes[1]


def test_prompts_go_evenly_from_tick_to_tick(path: Path) -> None:
    fade = {0: scene(1)} | {k: scene(k, [("dusk", 1 - k / 5), ("dawn", k / 5)]) for k in range(2, 6)}
    take = takes.read(performed(path, UNITS, 0.1 * np.arange(12), scenes=fade))
    weights = [dict(take.scene(arc).prompt.toward).get("dawn", 0.0) for arc in (0, 1.5, 2, 3, 4, 5, 6, 7.5, 8, 10, 11)]
    np.testing.assert_allclose(weights, [0, 0, 0, 0.2, 0.4, 0.5, 0.6, 0.75, 0.8, 1, 1], atol=1e-7)


def test_prompts_that_share_no_text_are_cut() -> None:
    assert mixed(Prompt("a"), Prompt("b"), 0.5) == Prompt("a")
    between = mixed(Prompt("a", "n"), Prompt("", "n", mixture=(("a", 1.0), ("b", 1.0))), 0.5)
    assert between == Prompt("", "n", mixture=(("a", 1.0), ("b", 0.5)))
    assert mixed(Prompt("a", "n"), Prompt("a", "m"), 0.25) == Prompt("a", "", against=(("n", 0.75), ("m", 0.25)))


FRAME = '{"at": 1, "index": 99, "time": 99, "place": [1, 0, 0, 1], "scene": 1}'
DAMAGED = {
    "no json": ("{nonsense", "line 9 is no JSON"),
    "no object": ("[1, 2]", "line 9 is no JSON object"),
    "nan": (FRAME.replace("[1,", "[NaN,"), "line 9 is no JSON (NaN is no number)"),
    "infinity": (FRAME.replace("[1,", "[1e999,"), "line 9 is a frame whose place"),
    "too large": (FRAME.replace("[1,", f"[{10**400},"), "line 9 is a frame whose place"),
    "three numbers": (FRAME.replace("[1, 0, 0, 1]", "[1, 0, 0]"), "line 9 is a frame whose place"),
    "off the globe": (FRAME.replace("[1,", "[1.1,"), "line 9 is a frame whose x, y, z"),
    "no radius": (FRAME.replace("0, 1]", "0, 0]"), "line 9 is a frame whose x, y, z"),
    "index back": (FRAME.replace("99", "40", 1), "line 9 goes back to frame 40"),
    "index negative": (FRAME.replace("99", "-1", 1), "line 9 wants a whole number of at least 0 as 'index'"),
    "time back": (FRAME.replace('"time": 99', '"time": 7'), "line 9 goes back to 7"),
    "time nan": (FRAME.replace('"time": 99', '"time": "now"'), "line 9 wants a finite number as 'time'"),
    "unknown scene": (FRAME.replace('"scene": 1', '"scene": 5'), "line 9 lies in scene 5"),
    "unknown text": (
        '{"at": 1, "scene": 3, "prompt": {"mix": 8}, "plane": {}, "decoder": {}, "world": {}, "walk": {}}',
        "line 9 speaks of text 8",
    ),
    "no weight": (
        '{"at": 1, "scene": 3, "prompt": {"mix": [["x"]]}, "plane": {}, "decoder": {}, "world": {}, "walk": {}}',
        "line 9 mixes",
    ),
    "negative weight": (
        '{"at": 1, "scene": 3, "prompt": {"mix": [["x", -1]]}, "plane": {}, "decoder": {}, "world": {}, "walk": {}}',
        "line 9 is a scene whose prompt cannot be used",
    ),
    "half a scene": ('{"at": 1, "scene": 3, "prompt": "x", "plane": {}}', "line 9 is a scene whose 'decoder'"),
    "unknown kind": ('{"at": 1, "sett": "walk.speed", "to": 2}', "line 9 is none of set, press"),
    "no moment": ('{"set": "walk.speed", "to": 2}', "line 9 wants a finite number as 'at'"),
    "odd value": ('{"at": 1, "set": "walk.speed", "to": {"a": 1}}', "line 9 sets"),
    "deep": ("[" * 100_000, "line 9 is no JSON"),
    "endless": ('"' + "x" * 3_000_000 + '"', "line 9 is longer"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_named_by_its_line(name: str, lines: list[str], path: Path) -> None:
    line, words = DAMAGED[name]
    with pytest.raises(TakeError) as caught:
        edited(path, [*lines[:8], line + "\n", *lines[8:]])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"take": 2, "latentworld": "3.1.0"}, "format 2, this reads 1: use latentworld 3.1.0 or later"),
        ({"take": 99}, f"use a later latentworld than {__version__}"),
        ({"take": "one"}, "is no take"),
        ({"take": True}, "is no take"),
        ({"preset": {"decoder": {"kind": "dream"}}}, "line 1 has a preset that cannot be used: decoder.kind"),
        ({"preset": None}, "line 1 lacks 'preset'"),
        ({"size": [0, 1]}, "line 1 has a size"),
    ],
)
def test_other_headers_are_refused(change: dict[str, object], words: str, lines: list[str], path: Path) -> None:
    with pytest.raises(TakeError) as caught:
        edited(path, [changed_line(lines[0], **change), *lines[1:]])
    assert words in str(caught.value)


def test_what_is_no_take_is_refused(path: Path, lines: list[str]) -> None:
    with pytest.raises(TakeError, match="no take can be read"):
        takes.read(path.with_name("nowhere.take"))
    with pytest.raises(TakeError, match="is empty"):
        edited(path, ["\n"])
    with pytest.raises(TakeError, match="holds no frame"):
        edited(path, lines[:3])
    with pytest.raises(TakeError, match="is no take"):
        edited(path, ["{}\n"])
    with pytest.raises(TakeError, match="holds no whole line"):
        edited(path, ['{"tak'])
    with pytest.raises(TakeError, match=r"line 1 is no JSON .*; mend it$"):
        edited(path, ["take\n"])
    for data in (bytes(range(256)) * 10, "".join(lines).replace("dusk", "dämmer").encode("latin-1")):
        path.write_bytes(data)
        with pytest.raises(TakeError, match=r"is no take as it is: .*save it as UTF-8$"):
            takes.read(path)


def test_a_take_is_text_as_every_other_is(path: Path, lines: list[str]) -> None:
    plain, text = takes.read(path), "".join(lines)
    for encoding in ("utf-16", "utf-8-sig"):
        path.write_bytes(text.encode(encoding))
        read = takes.read(path)
        assert (read.scenes, read.text) == (plain.scenes, path.read_bytes())
    path.write_bytes("".join(lines[:9]).encode() + '{"at": 1.0, "text": 9, "is": "dä'.encode()[:-1])  # within a letter
    assert "line 10 was cut short" in takes.read(path).warnings[0]


def test_a_control_that_nothing_here_is_called_by_is_warned_of_once(path: Path, lines: list[str]) -> None:
    played = '{"at": 0.1, "set": "walk.sped", "to": 1.0}\n{"at": 0.1, "press": "no.such"}\n'
    take = edited(path, [*lines[:8], played, played, *lines[8:]])
    assert take.warnings == (
        "evening.take, line 9 plays 'walk.sped': did you mean 'walk.speed'?; it is passed over",
        "evening.take, line 10 plays 'no.such': nothing here has that name; it is passed over",
    )


def test_what_is_no_file_or_has_no_end_is_no_take(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.take")  # nobody writes into it
    with pytest.raises(TakeError, match="it is no file"):
        takes.read(tmp_path / "pipe.take")
    with (tmp_path / "long.take").open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(TakeError, match="is it the right file"):
        takes.read(tmp_path / "long.take")
