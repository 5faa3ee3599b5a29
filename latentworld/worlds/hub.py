"""Fetching from the hub: small texts first, then the weights that are wanted, and nothing that could run code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from latentworld.errors import UnsafeWeights, WorldMissing
from latentworld.worlds.files import TEXTS, one_set
from latentworld.worlds.locate import HubRef

SMALL = ("model_index.json", "config.json", "scheduler_config.json")  # what says of which family a model is


def fetch(ref: HubRef, marker: str = "model_index.json", parts: tuple[str, ...] = ()) -> Path:
    """Snapshot folder of a hub repository, its name the commit; WorldMissing if it is not to be had.

    What was fetched once is used again without asking the network, so a world stays at its commit until another one
    is named with `@revision`. Only safetensors weights and small text files are fetched. marker: a file it must have;
    parts: the folders that are wanted of it.
    """
    folder = cached(ref)
    if folder is not None and (folder / marker).is_file() and all((folder / part).is_dir() for part in parts):
        return folder
    return _download(ref, lambda names: wanted_files(ref, names, marker, parts))


def fetch_world(ref: HubRef, parts_of: Callable[[Path], Sequence[tuple[str, bool]]]) -> Path:
    """Snapshot folder of a world. Its configs come first; of them `parts_of` says which parts it has, and which of them
    hold weights, or refuses the model, and then nothing more is fetched. Raises as `fetch`, and as `parts_of`."""
    folder = cached(ref)
    if folder is None or not (folder / "model_index.json").is_file():
        folder = _download(ref, lambda names: _small(ref, names))
    parts = parts_of(folder)
    if all(_is_there(folder / name, weighted) for name, weighted in parts):
        return folder
    return _download(ref, lambda names: wanted_files(ref, names, "model_index.json", tuple(name for name, _ in parts)))


def cached(ref: HubRef) -> Path | None:
    """Snapshot folder of what was fetched of a repository before; the network is not asked."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(ref.repo, revision=ref.revision, local_files_only=True))
    except (OSError, ValueError):  # LocalEntryNotFoundError and bad names are both
        return None


def _download(ref: HubRef, choose: Callable[[list[str]], list[str]]) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    try:
        names = [file.rfilename for file in HfApi().model_info(ref.repo, revision=ref.revision).siblings or []]
        wanted = choose(names)
        return Path(snapshot_download(ref.repo, revision=ref.revision, allow_patterns=wanted))
    except (WorldMissing, UnsafeWeights):
        raise
    except Exception as error:  # whatever the network stack raises: it differs from one hub client to the next
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WorldMissing(
            f"{ref} is not on this machine and cannot be fetched ({why}): check the name and the network, "
            f"or fetch it elsewhere and give its folder"
        ) from error


def _is_there(part: Path, weighted: bool) -> bool:
    """Whether a part was fetched, not its config alone."""
    return any(part.glob("*.safetensors")) if weighted else part.is_dir()


def _small(ref: HubRef, names: list[str]) -> list[str]:
    """The configs of a repository in the diffusers layout; WorldMissing where it is in another."""
    if "model_index.json" not in names:
        raise WorldMissing(f"{ref} has no model_index.json: give a repository in the diffusers layout")
    return sorted(name for name in names if name.rpartition("/")[2] in SMALL and name.count("/") <= 2)


def wanted_files(ref: HubRef, names: list[str], marker: str, parts: tuple[str, ...]) -> list[str]:
    """The files of a repository that a world needs: per part its small texts and one set of safetensors weights."""
    if marker not in names:
        raise WorldMissing(f"{ref} has no {marker}: give a repository in the diffusers layout")
    wanted = [name for name in names if "/" not in name and name.endswith((".json", ".txt", ".toml"))]
    for part in parts:  # "" is the repository's root, as CLIP has it
        inside = [name for name in names if name.rpartition("/")[0] == part]
        wanted += [name for name in inside if name.endswith(TEXTS)]
        weights = [name for name in inside if name.endswith(".safetensors")]
        chosen = one_set([name.rpartition("/")[2] for name in weights])
        wanted += [name for name in weights if name.rpartition("/")[2] in chosen]
        if not weights and any(name.endswith(".bin") for name in inside):
            raise UnsafeWeights(f"{ref} has only pickled weights in {part or '/'}: choose a revision with safetensors")
    return sorted(set(wanted))
