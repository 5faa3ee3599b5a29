"""Libraries that only some parts need: imported where they are used, missed in one line that says what to install.

need("scipy.spatial")       # the module, or an error: "scipy is missing: python -m pip install -e ".[atlas]""
install("atlas")            # that command, as it works from here
checkout()                  # the folder of the checkout that this package runs from, None for an installed one

The name `latentworld` is on no package index, so the command names what this copy came from: the checkout it lies in,
the folder, wheel or repository it was installed from (PEP 610), or else the very libraries.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

from latentworld.errors import AtlasError, ClusterError, LatentWorldError, ShowError

EXTRA = {
    "latentworld": "atlas",  # our own module on top of zarr
    "zarr": "atlas", "xarray": "atlas", "scipy": "atlas", "sklearn": "atlas", "networkx": "atlas", "healpix": "atlas",
    "ray": "cluster",
    "openvino": "openvino", "torchao": "fp8",
    "glfw": "show", "moderngl": "show", "starlette": "show", "uvicorn": "show", "websockets": "show", "segno": "show",
    "prometheus_client": "show", "zeroconf": "show", "wakepy": "show",
    "mido": "midi", "rtmidi": "midi",
    "sounddevice": "audio",
    "spandrel": "upscale",
    "librosa": "sound", "soundfile": "sound", "soxr": "sound",
    "cyndilib": "ndi", "pyvirtualcam": "camera", "SpoutGL": "spout", "syphon": "syphon",
}  # fmt: skip
"""The extra that brings a library, by the library's name when it is imported; what is not here always comes along."""

ERRORS: Mapping[str, type[LatentWorldError]] = {"atlas": AtlasError, "cluster": ClusterError}
"""What is raised where a library of an extra is missing, ShowError for the others."""

# what it asks for, torchvision, breaks transformers where torch is a build for processors (docs/decisions/0025)
ALONE = {"upscale": "--no-deps spandrel einops"}


def need(module: str) -> ModuleType:
    """The module, imported now. Raises AtlasError, ClusterError or ShowError, which names the command that brings it,
    where it or what it needs is not installed, or a library of the system is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as fault:
        name = (fault.name or module).split(".")[0]  # what is there may ask for what is not
        extra = EXTRA.get(name) or EXTRA.get(module.split(".")[0], "")
        raise _error(extra)(f"{name} is missing: {install(extra)}") from fault
    except (ImportError, OSError) as fault:  # the wheel is there, its system library is not
        extra = EXTRA.get(module.split(".")[0], "")
        remedy = f"{install(extra)}, or see `latentworld doctor`"
        raise _error(extra)(f"{module} cannot be used ({fault}): {remedy}") from fault


def install(extra: str = "") -> str:
    """The command that brings what an extra names, as it works here; "": what always comes along."""
    if extra in ALONE:
        return f"{_pip()} {ALONE[extra]}"
    named = f"[{extra}]" if extra else ""
    here = checkout()
    if here is not None:
        return f'{_pip()} -e "{_shown(here)}{named}"'
    return f"{_pip()} {_source(extra, named)}"


def checkout() -> Path | None:
    """The folder of the checkout that this package is run from; None where it is installed."""
    above = Path(__file__).resolve().parent.parent
    return above if (above / "pyproject.toml").is_file() and (above / "presets").is_dir() else None


def _error(extra: str) -> type[LatentWorldError]:
    return ERRORS.get(extra, ShowError)


def _source(extra: str, named: str) -> str:
    """What pip takes for an installed package, as the record of its installation says."""
    url, pinned = _installed_from()
    if url.startswith("file:"):
        path = Path(unquote(urlsplit(url).path.removeprefix("/") if os.name == "nt" else urlsplit(url).path))
        if path.exists():
            return f'"{_shown(path)}{named}"'
    elif url:
        return f'"latentworld{named} @ {pinned}"'
    wanted = _libraries(extra)
    return " ".join(f'"{library}"' for library in wanted) if wanted else f'"latentworld{named}"'


def _installed_from() -> tuple[str, str]:
    """Where pip had this package from, and how pip is told so; "" where no record says it."""
    from importlib import metadata

    from latentworld import texts

    try:
        said = texts.table(metadata.distribution("latentworld").read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        return "", ""
    url, vcs = str(said.get("url", "")), said.get("vcs_info")
    return url, f"{vcs.get('vcs', 'git')}+{url}" if isinstance(vcs, dict) else url


def _libraries(extra: str) -> list[str]:
    """What an extra brings, as the installed package's metadata has it; nothing where there is none."""
    from importlib import metadata

    try:
        wanted = metadata.requires("latentworld") or []
    except metadata.PackageNotFoundError:
        return []
    rows = [re.fullmatch(r"([^;]+?)\s*;\s*extra == ['\"](.+?)['\"]", row) for row in wanted]
    found = [row[1] for row in rows if row and row[2] == extra]
    inner = [part for name in found if (own := re.fullmatch(r"latentworld\[(\w+)\]", name))
             for part in _libraries(own[1])]  # fmt: skip
    return [*inner, *(name for name in found if not name.startswith("latentworld["))]


def _pip() -> str:
    """pip of this very Python; uv where it has none."""
    from importlib import metadata

    python = _shown(Path(sys.executable))
    python = f'"{python}"' if " " in python else python
    try:  # its metadata: to look for the module makes setuptools take distutils away from whoever has it
        metadata.version("pip")
    except metadata.PackageNotFoundError:
        return f"uv pip install --python {python}"
    return f"{python} -m pip install"


def _shown(path: Path) -> str:
    """A path as one types it here: short below the working folder."""
    try:
        text = str(path.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
    return text if text == "." or os.sep in text else f".{os.sep}{text}"  # a bare word would be a package's name
