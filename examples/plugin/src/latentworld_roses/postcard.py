"""A command that renders one place and sets it on a card with its coordinates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Option = typer.Option


def postcard(
    preset: Annotated[str, typer.Argument(help="A preset's name, or a .toml file.")],
    *,
    output: Annotated[Path, Option("-o", "--output", help="The PNG file.")],
    alpha: Annotated[float, Option(help="From z0 toward z1.")] = 1 / 3,
    beta: Annotated[float, Option(help="From z0 toward z2.")] = 1 / 3,
    text: Annotated[str, Option(help="What is written below; default: the place.")] = "",
) -> None:
    """Make a postcard of one place."""
    from PIL import Image, ImageDraw

    from installation.film import make
    from latentworld import preset as presets

    make.still(presets.load(preset), alpha, beta, 1.0, output)
    picture = Image.open(output).convert("RGB")
    edge = max(8, picture.width // 12)
    card = Image.new("RGB", (picture.width + 2 * edge, picture.height + 4 * edge), "white")
    card.paste(picture, (edge, edge))
    words = text or f"alpha {alpha:.3f}  beta {beta:.3f}"
    ImageDraw.Draw(card).text((edge, picture.height + 2 * edge), words, fill="black")
    card.save(output)
    print(output)
