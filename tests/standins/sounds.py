"""Small sounds: the piece of examples/sound, whose beats are known, and what is no sound at all."""

from __future__ import annotations

import importlib.util
import wave
from pathlib import Path
from types import ModuleType

import numpy as np

SCRIPT = Path(__file__).parents[2] / "examples" / "sound" / "piece.py"


def example() -> ModuleType:
    """The script that makes the piece."""
    spec = importlib.util.spec_from_file_location("example_piece", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def piece(path: Path, bars: int = 4, rate: int = 22050) -> np.ndarray:
    """Write so many bars of it; when its beats are, in seconds."""
    script = example()
    script.write(path, script.piece(bars, rate), rate)
    return np.asarray(script.beats(bars))


def plain(path: Path, samples: np.ndarray, rate: int = 22050) -> Path:
    """Write samples [n], -1..1, as one channel."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path
