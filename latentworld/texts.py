"""Text that people and other programs wrote, read once for all of us: its encoding, its size and its depth are bounded.

read(path)          a file's text: UTF-8 with or without a byte order mark, UTF-16 as some editors save it
toml(text)          a table
decode(data)        the same of its bytes
loads(text)         what JSON says; table(text): the object it is

All raise ValueError, in a line that says what to do; `read` raises OSError too.
"""

from __future__ import annotations

import codecs
import json
import re
import tomllib
from pathlib import Path

from latentworld import disk

LARGEST = 16_000_000  # bytes of a file that people write
_PARTS = 64  # of a dotted key: tomllib takes the square of it in time
_KEY = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_DEEP = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_KEY}[ \t]*+\.[ \t]*+){{{_PARTS}}}")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read(path: Path, largest: int = LARGEST) -> str:
    """The text in a file of at most `largest` bytes."""
    return decode(disk.read(path, largest)).replace("\r\n", "\n")


def decode(data: bytes, cut: bool = False) -> str:
    """The text that a file's bytes are. cut: its last line may break off, also within a character."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if not cut or b"\n" in data[error.start :]:
            raise ValueError(f"{encoding} cannot read byte {error.start}: save it as UTF-8") from None
        text = data.decode(encoding, "ignore")
    if "\0" in text:
        raise ValueError("it holds zero bytes, as UTF-16 without its mark does: save it as UTF-8")
    return text


def toml(text: str) -> dict[str, object]:
    """A TOML table. A path of Windows in double quotes is told what it needs."""
    try:
        if _DEEP.search(text):
            raise ValueError(f"a key of more than {_PARTS} parts")
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError is one; numbers of thousands of digits are plain ones
        raise ValueError(f"{_brief(error)}{_hint(text, error)}") from None


def loads(text: str) -> object:
    """What a JSON text says."""
    try:
        said: object = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return said


def table(text: str) -> dict[str, object]:
    """The object that a JSON text is."""
    said = loads(text)
    if not isinstance(said, dict):
        raise ValueError("it is no JSON object {...}")
    return said


def _brief(error: ValueError) -> str:
    return re.sub(r"; use sys\.set_int_max_str_digits.*", "", str(error))[:200]


def _hint(text: str, error: ValueError) -> str:
    """What a backslash in double quotes means, and which quotes are none, where the error is about one."""
    found = re.search(r"line (\d+)", str(error))
    line = text.split("\n")[int(found[1]) - 1 : int(found[1])] if found else []
    if re.search("[\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb]", "".join(line)):
        return '; texts stand in straight quotes: "like this"'
    if not re.search(r'"[^"]*\\', "".join(line)):
        return ""
    return r"; a path with backslashes stands in single quotes: 'C:\worlds\mine'"
