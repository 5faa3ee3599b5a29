"""Text that others wrote: any encoding an editor uses, and nothing so large or so deep that it takes us along."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from installation import venue
from installation.control.desk.snapshots import FORMAT
from installation.control.desk.snapshots import _read as snapshot
from installation.control.parameters import table
from installation.ports.midi import links
from latentworld import preset, texts
from latentworld.errors import LatentWorldError
from latentworld.worlds import card

READERS: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "preset": ("a.toml", 'title = "größer"', preset.load),
    "venue": ("a.toml", "[wall]\nrate = 5.0", venue.load),
    "card": ("a.toml", 'name = "größer"\nsize = 64', lambda path: card.read(path.with_suffix(".safetensors"), {})),
    "config": ("config.json", '{"a": "größer"}', card.read_json),
    "midi": ("midi.json", json.dumps({"format": links.FORMAT, "links": []}), lambda path: links.load(path, table())),
    "snapshot": ("a.json", json.dumps({"format": FORMAT, "values": {}}), snapshot),
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "windows line ends")
BAD = {
    "toml": {
        "deep": "a = " + "[" * 5000 + "]" * 5000,
        "a long number": f"a = {'9' * 5000}",
        "a key of many parts": ".".join("a" * 20_000) + " = 1",
        "a table of many parts": f"[{'.'.join('abcd' * 5000)}]",
        "a quoted key of many parts": '"a".' * 20_000 + "a = 1",
        "no text": "\x00\x01\x02",
    },
    "json": {"deep": "[" * 100_000, "a long number": f'{{"a": {"9" * 5000}}}', "a list": "[]", "nothing": ""},
}


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> tuple[str, str, Callable[[Path], object]]:
    return READERS[request.param]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_whatever_an_editor_saves_is_read(
    encoding: str, reader: tuple[str, str, Callable[[Path], object]], tmp_path: Path
) -> None:
    name, text, read = reader
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8"))
    wanted = read(path)
    data = text.replace("\n", "\r\n").encode() if encoding.startswith("windows") else text.encode(encoding)
    path.write_bytes(data)
    assert read(path) == wanted


def test_what_is_too_large_too_deep_or_no_text_is_refused_in_a_line(
    reader: tuple[str, str, Callable[[Path], object]], tmp_path: Path
) -> None:
    name, _, read = reader
    path = tmp_path / name
    written = {case: text.encode() for case, text in BAD[name.rpartition(".")[2]].items()}
    written |= {"latin": b"a = '\xe9'", "half a mark": codecs.BOM_UTF16_LE + b"a", "large": b" " * (texts.LARGEST + 1)}
    for case, data in written.items():
        path.write_bytes(data)
        with pytest.raises(LatentWorldError) as caught:
            read(path)
        assert "\n" not in str(caught.value), case
        assert len(str(caught.value)) < 400, case


def test_a_path_of_windows_is_told_what_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[world]\nname = "C:\\Users\\me\\model"')
    with pytest.raises(LatentWorldError, match="stands in single quotes"):
        preset.load(path)
    path.write_text("[world]\nname = 'C:\\Users\\me\\model'")
    assert preset.load(path).world.name == "C:\\Users\\me\\model"


def test_quotes_of_word_processors_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("title = “dusk”", encoding="utf-8")
    with pytest.raises(LatentWorldError, match='straight quotes: "like this"'):
        preset.load(path)


def test_words_with_many_dots_are_no_deep_keys() -> None:
    text = 'title = "' + "wait... " * 200 + '0.1.2.3"\nnumbers = [' + "0.5, " * 500 + "]"
    assert len(texts.toml(text)["numbers"]) == 500  # type: ignore[arg-type]
