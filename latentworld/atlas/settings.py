"""What a survey is begun with, as plain values: it is only resumed with the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PureWindowsPath

from latentworld.atlas.chunks import attributes
from latentworld.atlas.sampling import Adaptive, Globe, Window
from latentworld.decoding.profile import Profile
from latentworld.errors import AtlasError, AtlasMismatch, DecodeError
from latentworld.plane import Plane
from latentworld.tables import section
from latentworld.vertices import digest


def settings_of(
    sampling: Window | Adaptive | Globe,
    plane: Plane,
    profile: Profile | None = None,
    block: int = 64,
    radius: float = 1.0,
    **more: object,
) -> dict[str, object]:
    """What a store is begun with, as plain values: a survey is only resumed with the same.

    more: whatever else the pictures depend on, such as prompt, seeds, eye and thumb. Raises AtlasError on a value that
    JSON cannot hold, numbers that are not finite among them.
    """
    all_of_it = {
        "sampling": sampling.model_dump(mode="json"),
        "plane": plane_settings(plane),
        "profile": None if profile is None else profile.record(),
        "block": block,
        "radius": radius,
        **more,
    }
    if block < 1:
        raise AtlasError(f"a block of {block} places: give 1 or more")
    if radius <= 0:
        raise AtlasError(f"a survey at radius {radius:g} has no width: give one above 0, such as 1")
    try:
        jsonable: dict[str, object] = json.loads(json.dumps(all_of_it, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AtlasError(f"an atlas's settings must be plain finite values ({error})") from error
    return jsonable


def plane_settings(plane: Plane) -> dict[str, str]:
    """What settings say of a plane: its norm, and the digest of its vertices."""
    return {"norm": plane.norm, "vertices": digest(plane.vertices)}


def eye_of(source: str, digest: str) -> str:
    """An eye in a record: its name and the digest of its weights, and no path of the machine that made the record."""
    name = PureWindowsPath(source).name  # which takes both kinds of slashes
    return f"{name}@{digest}" if name else digest


def portable(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings as they are written now: before, an eye was said by its path."""
    eye = settings.get("eye")
    return dict(settings) | ({"eye": eye_of(*eye.rpartition("@")[::2])} if isinstance(eye, str) else {})


def profile_of(settings: Mapping[str, object]) -> Profile | None:
    """The render profile of an atlas's settings; None where there is none (its pictures were imported) or it cannot be
    read."""
    try:
        return Profile.read(section(settings, "profile") if settings.get("profile") else {})
    except (DecodeError, TypeError):
        return None


def provenance(created: str) -> dict[str, str]:
    """Which versions make the atlas, and when, as the caller's clock has it."""
    found = {"created": created}
    for package in ("latentworld", "torch", "numpy", "zarr"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def differences(old: Mapping[str, object], new: Mapping[str, object], above: str = "") -> list[str]:
    """Settings that differ, as `profile.batch was 16, now 8`, in alphabetical order.

    Profiles differ in what both of them say, so that an atlas begun by an earlier version goes on.
    """
    found = []
    profiles = profile_of(old), profile_of(new)
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if key == "profile" and profiles[0] and profiles[1]:
            found += [f"profile.{difference}" for difference in profiles[0].differences(profiles[1])]
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, f"{above}{key}.")
        elif before != after:
            found.append(f"{above}{key} was {_short(before)}, now {_short(after)}")
    return found


def _short(value: object, most: int = 80) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else text[: most - 1] + "…"


def foresee(path: Path, known: Mapping[str, object]) -> None:
    """Refuse to go on with an atlas that was begun otherwise, by settings that are known before a world is loaded.

    Raises AtlasMismatch, AtlasDamaged.
    """
    if path.is_dir() and any(path.iterdir()):
        before = attributes(path)["settings"]
        if found := differences({key: before.get(key) for key in known}, known):
            raise otherwise(path, found)


def otherwise(path: Path, found: list[str]) -> AtlasMismatch:
    """The refusal to go on with it: in what it differs."""
    return AtlasMismatch(f"{path} was begun otherwise: {'; '.join(found)}; resume with its settings, or begin anew")
