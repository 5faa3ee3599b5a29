"""Every command there is, in the order of the help; a module is imported when its command is run.

The words are the beginning of each command's own help, so that `latentworld -h` imports none of them: a test keeps them
in step.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand

from installation.cli.help import Command

if TYPE_CHECKING:
    from typer._click import Command as AnyCommand  # typer's own, which it has no public name for


@dataclass(frozen=True)
class Listed:
    """Where a command stands, `module:name` below this package, and what it does in a sentence."""

    at: str
    words: str


COMMANDS = {
    "new": Listed("new:new", "Write a preset of your own, every key explained."),
    "film": Listed("film:app", "Render a preset into a film; see how one stands, and whether it is whole."),
    "batch": Listed("batch:app", "Work through a list of jobs, or a matrix of settings; see how far it is."),
    "plan": Listed(
        "plan:plan", "Walk a journey with the scout, and write where every frame lies: `film --plan` films it."
    ),
    "score": Listed("score:app", "What changes when: import schedules of other programs."),
    "still": Listed(
        "still:still", "Render pictures of places of the plane, or one that says how it was made once more."
    ),
    "show": Listed("show:show", "Perform a preset live: on a wall, played by OSC, MIDI and a deck."),
    "vertices": Listed("vertices:app", "Make pictures the vertices of a plane, and look into files of vertices."),
    "bridge": Listed("bridge:bridge", "Lead from one picture to another through likely latents, as a preset to film."),
    "doctor": Listed("doctor:doctor", "Examine this machine: device, memory, encoder, display, worlds, added parts."),
    "atlas": Listed("atlas:app", "Survey a latent globe, find its rifts, zoom in, plan journeys, find by words."),
    "harvest": Listed("harvest:harvest", "Bring home the novel pictures of an atlas, which lie between its phases."),
    "prospect": Listed("prospect:prospect", "Rank triples of seeds, or prompts, by the rifts of their globes."),
    "worlds": Listed("worlds:app", "List worlds and look into them."),
    "presets": Listed("presets:app", "List presets, show and check them, explain their keys."),
    "gallery": Listed("gallery:gallery", "Show each walk, pilot mode, pacing and preset as a strip of pictures."),
    "osc": Listed("osc:app", "The addresses that OSC plays, and layouts for tablets."),
}


def command(name: str) -> AnyCommand:
    """One of them, imported now."""
    module, _, attribute = COMMANDS[name].at.partition(":")
    return made(name, vars(importlib.import_module(f"installation.cli.{module}"))[attribute])


def made(name: str, found: object) -> AnyCommand:
    """What typer runs, of a function or a group of ours, each with our page of help."""
    if isinstance(found, typer.Typer):
        for inner in found.registered_commands:
            inner.cls = Command if inner.cls in (None, TyperCommand) else inner.cls
        whole: AnyCommand = typer.main.get_group(found)
    else:
        single = typer.Typer(add_completion=False)
        single.command(name, cls=Command)(found)  # type: ignore[type-var]
        whole = typer.main.get_command(single)
    whole.name = name
    return whole


def listed(name: str) -> AnyCommand:
    """One of them as a list shows it, without its module."""
    return TyperCommand(name, help=COMMANDS[name].words)
