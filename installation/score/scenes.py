"""What a score makes of a film's scene at a moment: its description, as takes and plans have it."""

from __future__ import annotations

import msgspec

from installation.control.controls import (
    LORAS,
    MODEL_WORLD,
    WALK_NORM,
    WORDS,
    LoraControls,
    ModelControls,
    PromptControls,
    WordControls,
)
from installation.control.parameter import Value, rows
from installation.ipc.scene import DecoderScene, PlaneScene, SceneDescription, WalkScene, WorldScene
from installation.rig import Rig
from installation.score.reading import seeds
from installation.score.tracks import Timeline
from installation.takes.take import prompt_of
from latentworld import vertices
from latentworld.prompts import Mixture, Prompt

_A, _B, _MIX, _AWAY = (rows(PromptControls)[name].name for name in ("a", "b", "mix", "negative"))
_WORDS = [(rows(WordControls, i)["text"].name, rows(WordControls, i)["weight"].name) for i in range(1, WORDS + 1)]
GUIDANCE = rows(ModelControls)["guidance"].name
PROMPTS = (_A, _B, _MIX, _AWAY, *(name for pair in _WORDS for name in pair))
STRENGTHS = tuple(rows(LoraControls, i)["strength"].name for i in range(1, LORAS + 1))
SCENIC = (*PROMPTS, GUIDANCE, *STRENGTHS)
"""What a picture is made with that may differ from frame to frame: while it moves, a film goes a frame at a time."""


def first(rig: Rig) -> SceneDescription:
    """What a film has that no score changes."""
    spec, world = rig.preset.plane, rig.preset.world
    plane = PlaneScene(
        None if spec.vertices else spec.seeds, spec.norm, spec.layout, spec.device, spec.dtype, spec.vertices,
        rig.plane.shape, vertices.digest(rig.plane.vertices), None, spec.hold, spec.reach,
    )  # fmt: skip
    where = WorldScene(world.name, world.revision, rig.studio.world, rig.studio.seer)
    walk = WalkScene("autopilot", rig.preset.walk.model_dump(mode="json"))
    loras = tuple(lora.strength for lora in rig.studio.settings.loras) or None
    return SceneDescription(plane, rig.studio.prompt, DecoderScene(loras=loras), where, walk)


def at(first: SceneDescription, timeline: Timeline, t: float) -> SceneDescription:
    """The scene at a moment. first: without the score."""
    values = timeline.values(t)
    return SceneDescription(
        _plane(first.plane, values), prompt_at(first.prompt, timeline, values, t), _decoder(first, values),
        _world(first.world, values), first.walk,
    )  # fmt: skip


def prompt_at(first: Prompt, timeline: Timeline, values: dict[str, Value | None], t: float) -> Prompt:
    """The prompt: `b` takes its share in place of `a` where it has words, concept words come on top by weight."""
    if not any(name in values for name in PROMPTS):
        return first
    toward: dict[str, float] = {}
    share = _number(values.get(_MIX), 0.0)
    for text, weight in timeline.mixture(_B, t, ""):
        if text:
            toward[text] = toward.get(text, 0.0) + share * weight
    rest = 1.0 - sum(toward.values())
    own = [(text, rest * weight) for text, weight in timeline.mixture(_A, t, first.positive)]
    words = [
        (text, weight * _number(values.get(amount), 0.0))
        for name, amount in _WORDS for text, weight in timeline.mixture(name, t, "") if text
    ]  # fmt: skip
    mixed = _whole([*own, *toward.items(), *words])
    return prompt_of(mixed or own[:1], _whole(timeline.mixture(_AWAY, t, first.negative)))  # type: ignore[arg-type]


def _whole(parts: list[tuple[str, float]] | Mixture) -> Mixture:
    """Each text once, weights that weigh something, their sum 1."""
    total: dict[str, float] = {}
    for text, weight in parts:
        if weight > 0:
            total[text] = total.get(text, 0.0) + weight
    whole = sum(total.values())
    return tuple((text, weight / whole) for text, weight in total.items())


def _plane(first: PlaneScene, values: dict[str, Value | None]) -> PlaneScene:
    changed = {i: values[name] for i, name in enumerate(seeds()) if values.get(name) is not None}
    norm = values.get(WALK_NORM.name)
    if not changed and norm in (None, first.norm):
        return first
    own = first.seeds or (None, None, None)
    drawn = tuple(changed.get(i, seed) for i, seed in enumerate(own))
    bare = PlaneScene(drawn, str(norm or first.norm), first.layout, first.device, first.dtype, first.vertices)  # type: ignore[arg-type]
    if drawn != own:
        return bare
    return msgspec.structs.replace(bare, shape=first.shape, digest=first.digest)  # the same vertices in another norm


def _decoder(first: SceneDescription, values: dict[str, Value | None]) -> DecoderScene:
    guidance, loras = values.get(GUIDANCE), first.decoder.loras
    if _world(first.world, values) is not first.world:
        loras = None  # they are the preset's world's
    elif loras is not None:
        pairs = zip(loras, STRENGTHS, strict=False)
        loras = tuple(round(_number(values.get(name), own), 2) + 0.0 for own, name in pairs)
    if guidance is None:
        return DecoderScene(loras=loras)
    return DecoderScene(kind="faithful", guidance=float(guidance), loras=loras)  # type: ignore[arg-type]


def _world(first: WorldScene, values: dict[str, Value | None]) -> WorldScene:
    name = values.get(MODEL_WORLD.name)
    return first if name in (None, first.name) else WorldScene(str(name))


def _number(value: Value | None, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) else otherwise
