"""The tokens and `canvas.js` as one script: for a page that has no server, and as a module for one that has."""

from __future__ import annotations

import re
from importlib.resources import files

from latentworld import tokens


def plain() -> str:
    """Constants and functions, to stand before the scripts that use them."""
    return tokens.script() + (files(__package__) / "canvas.js").read_text(encoding="utf-8")


def module() -> str:
    """The same as an ES module that exports all of them."""
    text = plain()
    names = re.findall(r"^(?:const|function) (\w+)", text, re.MULTILINE)
    return f"{text}\nexport {{ {', '.join(names)} }};\n"
