"""What `latentworld` alone says: where to begin."""

from __future__ import annotations

from latentworld import __version__

STEPS = (
    ("presets", "the journeys that come along"),
    ("film first-light -o out/first-light", "render one: minutes on two cores; the same command goes on with it"),
    ("new my-piece.toml --like first-light", "one of your own, every key explained; film it as above"),
    ("show first-light --window", "play it live, in a window and at http://127.0.0.1:8080"),
)


def greeting() -> str:
    """Four first steps."""
    wide = max(len(step) for step, _ in STEPS)
    rows = "".join(f"  latentworld {step:{wide}}  {words}\n" for step, words in STEPS)
    more = "`latentworld -h` lists every command, `latentworld COMMAND -h` explains one; docs: README.md\n"
    what = "walk the latent plane of a diffusion model, and film it. First steps:"
    return f"latentworld {__version__}: {what}\n\n{rows}\n{more}"
