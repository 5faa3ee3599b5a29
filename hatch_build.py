"""The page of a package index, made of the README when the package is built.

There are no neighbours of the README there: its links to files and pictures would lead nowhere. Where the environment
variable LATENTWORLD_HOME says the address of the repository, they become absolute and the package names it; without it
links become plain text and pictures are left out.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE = re.compile(r"!\[([^\]]*)\]\((?!https?:)([^)\s]+)\)\n?")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)\s]+)\)")


def page(readme: str, home: str) -> str:
    """The README without links that lead nowhere. home: address of the repository, "" for none."""
    if not home:
        return LINK.sub(r"\1", PICTURE.sub("", readme))
    pictures = PICTURE.sub(rf"![\1]({home}/raw/HEAD/\2)\n", readme)
    return LINK.sub(rf"[\1]({home}/blob/HEAD/\2)", pictures)


class Page(MetadataHookInterface):
    """Gives the package its page and its links."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, object]) -> None:
        """Set `readme`, and `urls` where the address is known."""
        home = os.environ.get("LATENTWORLD_HOME", "").rstrip("/")
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": page(readme, home)}
        if home:
            metadata["urls"] = {
                "Homepage": home, "Documentation": f"{home}/tree/HEAD/docs", "Issues": f"{home}/issues",
                "Changelog": f"{home}/blob/HEAD/CHANGELOG.md",
            }  # fmt: skip
