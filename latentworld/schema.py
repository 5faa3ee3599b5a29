"""The JSON schema of presets, by which editors complete and check them: `presets/preset.schema.json` is this.

A preset's first line names it, `#:schema ./preset.schema.json`, as Taplo and Even Better TOML read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from latentworld import texts, walks
from latentworld.disk import put
from latentworld.preset import Preset, folder
from latentworld.reference import KIND
from latentworld.walks import DEFAULT, Spec

NAME, TITLE = "preset.schema.json", "latentworld preset"
LINE = f"#:schema ./{NAME}"  # of a preset that lies beside it


def schema(kinds: Mapping[str, type[Spec]]) -> str:
    """The schema as JSON, with the kinds of walk by name."""
    whole = Preset.model_json_schema()
    parts: dict[str, object] = dict(whole["$defs"])
    properties: dict[str, object] = dict(whole["properties"])
    properties["walk"] = {"title": "Walk", "anyOf": [_walk(kind, spec) for kind, spec in kinds.items()]}
    properties["score"] = {"title": "Score", "type": "array", "items": {"$ref": "#/$defs/CueSpec"}}
    parts["CueSpec"] = _cue(parts["CueSpec"])
    said = {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}
    return json.dumps(said | {"title": TITLE, "$defs": parts, "properties": properties}, indent=1) + "\n"


def beside(place: Path) -> None:
    """Put the schema into a folder of presets, where `LINE` names it: with them it can be moved and sent. What is there
    and none of ours stays. Raises OSError."""
    target, text = place / NAME, schema(walks.specs())
    if target.resolve() == (folder() / NAME).resolve() or (target.exists() and not _is_ours(target)):
        return
    put(target, text.encode())


def _is_ours(path: Path) -> bool:
    try:
        return texts.table(texts.read(path)).get("title") == TITLE
    except (OSError, ValueError):
        return False


def _walk(kind: str, spec: type[Spec]) -> dict[str, object]:
    """A kind's keys. Where none is named it is the default's."""
    said: dict[str, object] = spec.model_json_schema()
    inner = said["properties"]
    assert isinstance(inner, dict)  # of an object
    named = {**inner, "kind": {"const": kind, "title": "Kind", "description": KIND}}
    return said | {"properties": named, **({} if kind == DEFAULT else {"required": ["kind"]})}


def _cue(said: object) -> dict[str, object]:
    """A cue, whose `set` takes tables within tables as well: `walk.speed = 2`."""
    assert isinstance(said, dict)
    inner = said["properties"]
    held = {"title": "Set", "type": "object", "minProperties": 1, "description": inner["set"].get("description", "")}
    return said | {"properties": {**inner, "set": held}}


def shipped() -> str:
    """The schema as it comes along, without the walks of other packages."""
    return schema({kind: walks.spec_of(kind) for kind in walks.BUILT_IN})
