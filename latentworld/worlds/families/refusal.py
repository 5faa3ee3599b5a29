"""What to say of a model that no family claims: what it is, and what can be done, in one line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from latentworld.errors import UnknownFamily, WorldDamaged, WorldError, WorldMissing
from latentworld.worlds.card import read_json
from latentworld.worlds.families import original
from latentworld.worlds.families import original_names as names
from latentworld.worlds.families.fit import TWO
from latentworld.worlds.families.strangers import GIVE, ROWS, TRANSFORMERS, Settings, Stranger
from latentworld.worlds.layout import Checkpoint, Folder


def refusal(seen: Folder | Checkpoint, titles: str) -> WorldError:
    """One line that says what a model is which no family claims, and what can be done. titles: of the families."""
    traits = _of_folder(seen) if isinstance(seen, Folder) else _of_checkpoint(seen)
    own = TRANSFORMERS.get(traits.network)
    if own and traits.pipeline and not re.search(own, traits.pipeline):
        return UnknownFamily(
            f"{seen.path}: its model_index.json says {traits.pipeline} and its transformer is a {traits.network}: {TWO}"
        )
    row = next((row for row in ROWS if _matches(row, traits)), None)
    if row is not None:
        what = row.what.format_map({"pipeline": traits.pipeline} | dict(traits.unet))
        return UnknownFamily(f"{seen.path}: this is {what}: {row.remedy.format(titles=titles)}")
    give = GIVE.format(titles=titles)
    return _folder(seen, traits, give) if isinstance(seen, Folder) else _checkpoint(seen, give)


@dataclass(frozen=True)
class Traits:
    """What a model can be known by, as the rows have it. unet: empty where it has none."""

    pipeline: str = ""
    network: str = ""
    alone: str = ""
    unet: Settings = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def _matches(row: Stranger, traits: Traits) -> bool:
    return (
        bool(row.pipelines and re.search(row.pipelines, traits.pipeline))
        or bool(row.classes and re.search(row.classes, traits.network or traits.alone))
        or bool(row.alone and re.search(row.alone, traits.alone))
        or bool(row.unet and traits.unet and row.unet(traits.unet))
        or bool(row.keys and any(re.search(row.keys, key) for key in traits.keys))
        or any(file in traits.files for file in row.files)
    )


def _of_folder(seen: Folder) -> Traits:
    listed, unet, root = seen.components, dict(seen.config("unet")), seen.path / "config.json"
    settings = {"in_channels": 4, "out_channels": 4} | unet if unet else {}
    own = unet.get("_class_name") or seen.config("transformer").get("_class_name")
    named = own or listed.get("transformer") or listed.get("unet")
    alone = read_json(root) if root.is_file() and not seen.index else {}
    architectures = alone.get("architectures")
    listing = architectures if isinstance(architectures, list) else []
    model = alone.get("_class_name") or next(iter(listing), "")
    files = tuple(sorted(file.name for file in seen.path.iterdir() if file.is_file()))
    return Traits(seen.pipeline, str(named or ""), str(model), settings, files=files)


def _of_checkpoint(seen: Checkpoint) -> Traits:
    shapes = original.shapes_of(seen)
    if names.FIRST not in shapes:
        return Traits(keys=tuple(seen.shapes))
    reads = (shape[-1] for key, shape in shapes.items() if key.endswith("attn2.to_k.weight"))
    unet: dict[str, object] = {
        "in_channels": shapes[names.FIRST][1],
        "out_channels": shapes.get(names.LAST, (4,))[0],
        "cross_attention_dim": next(reads, None),
    }
    if any(key.startswith(names.LABELS) for key in shapes):
        unet |= {"class_embed_type": "projection" if names.LABELS + "0.0.weight" in shapes else "labels"}
    return Traits(unet=unet, keys=tuple(seen.shapes))


def _folder(seen: Folder, traits: Traits, give: str) -> WorldError:
    """What to say of a folder that no row names."""
    listed = seen.components
    if traits.pipeline:
        lacks = [name for name in ("text_encoder", "tokenizer", "vae", "scheduler") if name not in listed]
        without = f" without {' and '.join(lacks)}" if lacks else ""
        return UnknownFamily(f"{seen.path}: this is a {traits.pipeline}{without}, of no family known here: {give}")
    inside = [name for name in traits.files if name.endswith(".safetensors")]
    if inside:
        return WorldMissing(f"{seen.path} is in no diffusers layout, but holds {inside[0]}: give that file's path")
    return WorldMissing(
        f"{seen.path} holds no model in the diffusers layout (no model_index.json, no unet): "
        f"give such a folder, a .safetensors file or a hub name"
    )


def _checkpoint(seen: Checkpoint, give: str) -> WorldError:
    """What to say of a file that no row names."""
    if names.FIRST in original.shapes_of(seen):
        return WorldDamaged(
            f"{seen.path} has no text encoder that is known here: give a checkpoint that has all its parts"
        )
    says = seen.metadata.get("modelspec.architecture")
    of_itself = f" (it says it is {says:.60})" if says else ""
    return UnknownFamily(f"{seen.path} is no model that is known here{of_itself}: {give}")
