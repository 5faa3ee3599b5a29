"""What the loop and the stage are played by: typed, frozen, and each control's row of the address table beside it.

A value of None is the preset's. What stands in these classes was checked when it was set (`Parameter.check`), and is
not checked again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal, get_args

from installation.control.parameter import Parameter as P
from installation.control.parameter import Value, played, read, rows, written
from installation.ipc.scene import SteeredBy

if TYPE_CHECKING:
    from latentworld.pilot import Mode

Direction = Literal["forward", "reverse", "ping-pong"]
Way = Literal["straight", "geodesic"]
Point = tuple[float, float]
"""alpha and beta."""
VERTICES, WORDS = 3, 6
LORAS, STRONGEST = 4, 2.0  # as presets have them
LARGEST_SEED = 2**32 - 1  # a seed's upper bits draw nothing: what is equal in its lower 32 is the same latent
LARGEST_BATCH = 16

WALK_KIND = P("walk.kind", "choice", "what kind of walk", None, preset="walk.kind", page="walk")
WALK_HEADING = P("walk.heading", "float", "steering by hand: left above 0, right below; the autopilot is off until "
                 "walk.auto", 0.0, low=-1.0, smooth=True, page="walk")  # fmt: skip
WALK_POSITION = P("walk.position", "point", "steer for alpha, beta; the autopilot is off until walk.auto", None,
                  low=-100.0, high=100.0, page="walk", label="steer for")  # fmt: skip
WALK_JUMP = P("walk.jump", "trigger", "be at walk.position at once, cross-faded", access="w", page="walk")
WALK_AUTO = P("walk.auto", "bool", "the autopilot steers", True, page="walk", label="autopilot")
WALK_STEERING = P("walk.steering", "choice", "who steers now", "autopilot", choices=get_args(SteeredBy), access="r",
                  page="walk", label="who steers")  # fmt: skip
WALK_NORM = P("walk.norm", "choice", "how lengths are set", None, preset="plane.norm", page="walk")
RIFT_VALUE = P("rift.value", "float", "the Lipschitz value here", 0.0, high=1000.0, unit="feature/latent", access="r",
               page="walk", label="Lipschitz value here")  # fmt: skip
MODEL_WORLD = P("model.world", "choice", "the world that is shown", None, preset="world.name", page="model",
                label="world")  # fmt: skip
MODEL_DECODER = P("model.decoder", "choice", "scout: fast; faithful: true", None, preset="show.decoder", page="model")
MODEL_BATCH = P("model.batch", "int", "pictures made at a time", None, low=1, high=LARGEST_BATCH, preset="show.batch",
                page="model")  # fmt: skip


@dataclass(frozen=True)
class WalkControls:
    """How the walk goes. speed: latent arc per second; heading: the stick, -1..1, left above 0; position: steered for
    while `auto` is off, along a `way`; jump: pressed since the last tick; radius: shells. Who steers: see
    `steering`."""

    speed: float | None = played(P(
        "walk.speed", "float", "pace", None, low=0.0, least=0.02, high=24.0, curve="log", unit="latent/s", smooth=True,
        preset="pacing.speed", page="walk",
    ))  # fmt: skip
    direction: Direction = played(P(
        "walk.direction", "choice", "which way along the walk", "forward", choices=("forward", "reverse", "ping-pong"),
        page="walk",
    ))  # fmt: skip
    kind: str | None = played(WALK_KIND)
    heading: float = played(WALK_HEADING)
    position: Point | None = played(WALK_POSITION)
    way: Way = played(P(
        "walk.way", "choice", "how walk.position is steered for: a geodesic needs the preset's atlas", "straight",
        choices=get_args(Way), page="walk", label="way there",
    ))  # fmt: skip
    jump: bool = played(WALK_JUMP)
    auto: bool = played(WALK_AUTO)
    radius: float | None = played(P(
        "walk.radius", "float", "distance from the centre: 1 is the hypersphere", None, low=0.0, least=0.05, high=2.0,
        unit="shells", smooth=True, preset="walk.radius", page="walk",
    ))  # fmt: skip
    norm: str | None = played(WALK_NORM)


@dataclass(frozen=True)
class RiftControls:
    """What the pilot is after. mode: as in a preset; attraction: -1..1, away from rifts or words .. toward them; step:
    feature distance per second that the pace aims at; words, share: where `toward` goes, and by way of the rifts how
    far; fade: seconds from one text to the next."""

    mode: Mode | None = played(P(
        "rift.mode", "choice", "what the pilot does about rifts", None, preset="pilot.mode", page="walk",
        label="rifts",
    ))  # fmt: skip
    attraction: float | None = played(P(
        "rift.attraction", "float", "toward rifts above 0, away from them below", None, low=-1.0, smooth=True,
        preset="pilot.attraction", page="walk",
    ))  # fmt: skip
    step: float | None = played(P(
        "rift.step", "float", "change of meaning per second that the pace aims at; 0: steady pace", None, low=0.0,
        least=0.01, high=4.0, curve="log", unit="feature/s", smooth=True, preset="show.step", page="walk",
        label="pace of meaning",
    ))  # fmt: skip
    words: str | None = played(P(
        "rift.words", "text", "what pictures the walk goes toward, while rift.mode is toward", None,
        preset="pilot.words", page="walk", label="toward",
    ))  # fmt: skip
    share: float | None = played(P(
        "rift.share", "float", "how far rifts choose the way toward words: 0 the words alone", None, smooth=True,
        preset="pilot.rifts", page="walk", label="by way of rifts",
    ))  # fmt: skip
    fade: float = played(P(
        "rift.fade", "float", "from one text to the next; 0: it turns at once", 0.0, high=60.0, unit="s", page="walk",
        label="fade of words",
    ))  # fmt: skip


@dataclass(frozen=True)
class VertexControls:
    """One of the latents that span the plane."""

    seed: int | None = played(P(
        "seed.vertex.{i}", "int", "the seed of z{i}", None, high=LARGEST_SEED, exact=True, preset="plane.seeds.{i}",
        page="model", label="z{sub}",
    ))  # fmt: skip


@dataclass(frozen=True)
class ModelControls:
    """What makes the pictures."""

    world: str | None = played(MODEL_WORLD)
    decoder: Literal["scout", "faithful"] | None = played(MODEL_DECODER)
    guidance: float | None = played(P(
        "model.guidance", "float", "how much the prompt is insisted on (faithful)", None, high=20.0,
        preset="decoder.guidance", page="model",
    ))  # fmt: skip
    steps: int | None = played(P(
        "model.steps", "int", "denoising steps", None, low=1, high=100, preset="decoder.steps", page="model",
    ))  # fmt: skip
    batch: int | None = played(MODEL_BATCH)


@dataclass(frozen=True)
class LoraControls:
    """How far a LoRA of the preset's goes: 1 as it was made, 0 not at all."""

    strength: float | None = played(P(
        "lora.{i}.strength", "float", "strength of LoRA {i}: 0 none, 1 as it was made", None, low=-STRONGEST,
        high=STRONGEST, smooth=True, preset="world.loras.{before}.strength", page="model", label="LoRA {i}",
    ))  # fmt: skip


@dataclass(frozen=True)
class PromptControls:
    """What the pictures are of. mix: share of `b` in place of `a`; fade: seconds of a cross-fade."""

    a: str | None = played(P(
        "prompt.a", "text", "what the picture should be", None, preset="prompt.positive", page="prompt",
        label="a: what the picture is",
    ))  # fmt: skip
    b: str = played(P(
        "prompt.b", "text", "what it should be instead, as far as prompt.mix says", "", page="prompt",
        label="b: what it is instead",
    ))  # fmt: skip
    mix: float = played(P(
        "prompt.mix", "float", "0: prompt.a, 1: prompt.b", 0.0, smooth=True, page="prompt", label="from a to b",
    ))  # fmt: skip
    negative: str | None = played(P(
        "prompt.negative", "text", "what the picture should not be", None, preset="prompt.negative", page="prompt",
        label="what it is not",
    ))  # fmt: skip
    fade: float = played(P(
        "prompt.fade", "float", "cross-fade when a text changes", 2.0, high=60.0, unit="s", page="prompt",
        label="cross-fade of texts",
    ))  # fmt: skip


@dataclass(frozen=True)
class WordControls:
    """A concept that is mixed into the prompt by its weight, 0..1."""

    text: str = played(P("word.{i}.text", "text", "concept {i} that is mixed into the prompt", "", page="prompt"))
    weight: float = played(P("word.{i}.weight", "float", "weight of concept {i}", 0.0, smooth=True, page="prompt"))


@dataclass(frozen=True)
class LoopControls:
    """Everything the loop is played by, at one moment; without arguments nobody plays and the preset decides.

    stamp: when the newest of it was set, in seconds of the monotonic clock that all processes of a machine share, 0 for
    never: what latency is measured from.
    """

    walk: WalkControls = WalkControls()
    rift: RiftControls = RiftControls()
    vertices: tuple[VertexControls, ...] = (VertexControls(),) * VERTICES
    model: ModelControls = ModelControls()
    prompt: PromptControls = PromptControls()
    words: tuple[WordControls, ...] = (WordControls(),) * WORDS
    loras: tuple[LoraControls, ...] = (LoraControls(),) * LORAS
    stamp: float = 0.0

    @property
    def strengths(self) -> tuple[float | None, ...]:
        """Of each LoRA, None the preset's."""
        return tuple(lora.strength for lora in self.loras)

    @property
    def speed(self) -> float | None:
        """Latent arc length per second, for the core's pilot."""
        return self.walk.speed

    @property
    def attraction(self) -> float | None:
        """-1..1: away from rifts .. toward them, for the core's pilot."""
        return self.rift.attraction

    @staticmethod
    def of(values: Mapping[str, Value | None], presses: Sequence[str] = (), stamp: float = 0.0) -> LoopControls:
        """From checked values by name, and the names of triggers that were pressed."""
        values = {**values, **dict.fromkeys(presses, True)}
        return LoopControls(
            read(WalkControls, values), read(RiftControls, values),
            tuple(read(VertexControls, values, i) for i in range(VERTICES)),
            read(ModelControls, values), read(PromptControls, values),
            tuple(read(WordControls, values, i) for i in range(1, WORDS + 1)),
            tuple(read(LoraControls, values, i) for i in range(1, LORAS + 1)), stamp,
        )  # fmt: skip

    def values(self) -> dict[str, Value]:
        """By name what is not at its default, for another process to be played by the same; no presses."""
        parts: list[Iterator[tuple[str, Value]]] = [
            written(self.walk), written(self.rift), written(self.model), written(self.prompt),
            *(written(vertex, i) for i, vertex in enumerate(self.vertices)),
            *(written(word, i) for i, word in enumerate(self.words, 1)),
            *(written(lora, i) for i, lora in enumerate(self.loras, 1)),
        ]  # fmt: skip
        return dict(chain(*parts))


def loop_rows() -> list[P]:
    """The loop's parameters, in the order in which people should meet them."""
    vertices = chain(*(rows(VertexControls, i).values() for i in range(VERTICES)))
    words = chain(*(rows(WordControls, i).values() for i in range(1, WORDS + 1)))
    loras = chain(*(rows(LoraControls, i).values() for i in range(1, LORAS + 1)))
    return [
        *rows(WalkControls).values(), WALK_STEERING, *rows(RiftControls).values(), RIFT_VALUE, *vertices,
        *rows(ModelControls).values(), *loras, *rows(PromptControls).values(), *words,
    ]  # fmt: skip


@dataclass(frozen=True)
class StageControls:
    """Everything the stage is played by. zoom: 1 and more; fade: seconds to black and back; master, black: 0..1."""

    zoom: float = played(P(
        "view.zoom", "float", "enlarge the middle of the picture", 1.0, "stage", 1.0, 8.0, curve="log", smooth=True,
        page="wall",
    ))  # fmt: skip
    freeze: bool = played(P(
        "out.freeze", "bool", "hold the picture on the wall", False, "stage", scope="held", page="wall",
    ))  # fmt: skip
    blackout: bool = played(P(
        "out.blackout", "bool", "fade to black", False, "stage", scope="held", page="wall",
    ))  # fmt: skip
    fade: float = played(P(
        "out.fade", "float", "how long fades to black and back take", 1.0, "stage", 0.0, 30.0, unit="s", page="wall",
        label="fade to black takes",
    ))  # fmt: skip
    master: float = played(P(
        "out.master", "float", "brightness of the whole", 1.0, "stage", smooth=True, page="wall", label="brightness",
    ))  # fmt: skip
    testcard: bool = played(P(
        "out.testcard", "bool", "the test card", False, "stage", scope="held", page="wall", label="test card",
    ))  # fmt: skip
    gamma: float = played(P(
        "out.gamma", "float", "gamma of the wall", 1.0, "stage", 0.4, 2.5, scope="wall", page="wall",
    ))  # fmt: skip
    black: float = played(P(
        "out.black", "float", "black level of the wall", 0.0, "stage", 0.0, 0.2, scope="wall", page="wall",
        label="black level",
    ))  # fmt: skip
