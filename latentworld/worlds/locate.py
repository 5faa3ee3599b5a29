"""Where a world is: the embedded one, a diffusers folder, a single .safetensors file, or a name on the hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from latentworld.errors import UnsafeWeights, WorldMissing

EMBEDDED = Path(__file__).parent / "embedded"
PICKLED = {".ckpt", ".pt", ".pth", ".bin", ".pkl"}
PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
HUB_NAME = re.compile(r"(?P<repo>[\w][\w.-]*/[\w][\w.-]*)(@(?P<revision>[\w][\w./-]*))?")


@dataclass(frozen=True)
class HubRef:
    """A repository on the hub; `revision` is a branch, a tag or a commit, None for what is cached or `main`."""

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.repo if self.revision is None else f"{self.repo}@{self.revision}"


def locate(name: str | Path, noun: str = "world") -> Path | HubRef:
    """Folder, file or hub reference behind the name of a world, or of whatever else `noun` says; nothing is fetched.

    Raises WorldMissing when nothing can be meant, UnsafeWeights for a pickled file.
    """
    text = str(name)
    if text == "embedded":
        if not (EMBEDDED / "model_index.json").is_file():
            raise WorldMissing(
                f"the embedded world is not in {EMBEDDED}: install latentworld again, or cast it (foundry)"
            )
        return EMBEDDED
    path = Path(text).expanduser()
    if path.suffix.lower() in PICKLED and not path.is_dir():
        raise UnsafeWeights(f"{path} is a pickled file, which could run code: convert it to .safetensors first")
    if path.is_dir() or (path.is_file() and path.suffix.lower() == ".safetensors"):
        return path.resolve()
    if path.is_file():
        raise WorldMissing(f"{path} is no {noun}: give a diffusers folder, a .safetensors file or a hub name")
    match = HUB_NAME.fullmatch(text)
    if match and path.suffix.lower() != ".safetensors":
        return HubRef(match["repo"], match["revision"])
    raise WorldMissing(f"no {noun} {text!r}: say `embedded`, a diffusers folder, a .safetensors file or owner/name")


def resolve(name: str | Path) -> tuple[Path, str]:
    """Local path of a world, fetched from the hub if need be, and its source for the record (`owner/name@commit`)."""
    found = locate(name)
    if isinstance(found, Path):
        return found, "embedded" if found == EMBEDDED else str(found)
    folder = fetch(found)
    return folder, f"{found.repo}@{folder.name}"


def fetch(ref: HubRef, marker: str = "model_index.json", parts: tuple[str, ...] = PARTS) -> Path:
    """Snapshot folder of a hub repository, its name the commit; WorldMissing if it is not to be had.

    What was fetched once is used again without asking the network, so a world stays at its commit until another one
    is named with `@revision`. Only safetensors weights and small text files are fetched.
    """
    cached = _cached(ref, marker, parts)
    return cached if cached is not None else _download(ref, marker, parts)


def _cached(ref: HubRef, marker: str, parts: tuple[str, ...]) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(ref.repo, revision=ref.revision, local_files_only=True))
    except (OSError, ValueError):  # LocalEntryNotFoundError and bad names are both
        return None
    complete = (folder / marker).is_file() and all((folder / part).is_dir() for part in parts)
    return folder if complete else None


def _download(ref: HubRef, marker: str, parts: tuple[str, ...]) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    try:
        names = [file.rfilename for file in HfApi().model_info(ref.repo, revision=ref.revision).siblings or []]
        wanted = wanted_files(ref, names, marker, parts)
        return Path(snapshot_download(ref.repo, revision=ref.revision, allow_patterns=wanted))
    except (WorldMissing, UnsafeWeights):
        raise
    except Exception as error:  # whatever the network stack raises: it differs from one hub client to the next
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WorldMissing(
            f"{ref} is not on this machine and cannot be fetched ({why}): check the name and the network, "
            f"or fetch it elsewhere and give its folder"
        ) from error


def wanted_files(ref: HubRef, names: list[str], marker: str, parts: tuple[str, ...]) -> list[str]:
    """The files of a repository that a world needs: per part its small texts and one set of safetensors weights."""
    if marker not in names:
        raise WorldMissing(f"{ref} has no {marker}: give a repository in the diffusers layout")
    wanted = [name for name in names if "/" not in name and name.endswith((".json", ".txt", ".toml"))]
    for part in parts:  # "" is the repository's root, as CLIP has it
        inside = [name for name in names if name.rpartition("/")[0] == part]
        wanted += [name for name in inside if name.endswith((".json", ".txt"))]
        weights = [name for name in inside if name.endswith(".safetensors")]
        plain = [name for name in weights if ".fp16." not in name and ".non_ema." not in name]
        wanted += plain or weights
        if not weights and any(name.endswith(".bin") for name in inside):
            raise UnsafeWeights(f"{ref} has only pickled weights in {part or '/'}: choose a revision with safetensors")
    return sorted(set(wanted))
