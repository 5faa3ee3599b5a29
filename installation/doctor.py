"""What this machine has, and what a film would use here. Things are tried: an encoder that is listed may not run."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import psutil  # type: ignore[import-untyped]

from installation.film.ffmpeg import binary, muxing
from installation.film.preview_window import display
from installation.health.memory import ROOM, free
from latentworld import __version__, worlds
from latentworld.device import NAMES, choose
from latentworld.errors import LatentWorldError
from latentworld.worlds import needs


def examine() -> dict[str, object]:
    """The report of `latentworld doctor`, ready for JSON."""
    import torch

    chosen = choose()
    works, words = probe_encoder()
    memory, there = psutil.virtual_memory(), worlds.listing()
    return {
        "latentworld": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "diffusers": _version("diffusers"),
        "transformers": _version("transformers"),
        "openvino": _version("openvino"),
        "cores": psutil.cpu_count(logical=True),
        "threads": torch.get_num_threads(),
        "memory_gb": round(memory.total / 1e9, 1),
        "memory_free_gb": round(memory.available / 1e9, 1),
        "spare_renderer": f"show.spare has room beside a renderer of up to {free() / ROOM / 1e9:.1f} GB",
        **_device(chosen.device),
        "dtype": chosen.dtype,
        "engine": chosen.engine,
        "batch_at_512": chosen.batch,
        "encoder": words,
        "encoder_works": works,
        "display": display(),
        "worlds": [world.name for world in there],
        "worlds_need": [_need(world, chosen.dtype) for world in there],
    }


def _need(world: worlds.Summary, dtype: str) -> str:
    """What a world is and takes here, in one line."""
    own = world.family.half if dtype == "float16" else dtype
    return (
        f"{world.name}: {needs.title(world)}, {world.size} px, {needs.sampling(world)}, "
        f"{needs.weights_gb(world, own):.3g} GB of weights in {own}"
    )


def probe_encoder() -> tuple[bool, str]:
    """Encode two frames; whether that worked, and the encoder or the reason."""
    try:
        muxing("h264")
        return True, binary()
    except (LatentWorldError, OSError) as error:
        return False, str(error)


def _device(device: str) -> dict[str, object]:
    import torch

    if device.partition(":")[0] not in NAMES:
        return {"device": device, "device_name": platform.processor() or device, "device_memory_gb": None}
    seen = torch.get_device_module(device).get_device_properties(device)
    return {"device": device, "device_name": seen.name, "device_memory_gb": round(seen.total_memory / 1e9, 1)}


def _version(package: str) -> str | None:
    if package in sys.modules:
        return str(vars(sys.modules[package]).get("__version__"))
    try:
        return version(package)
    except PackageNotFoundError:
        return None
