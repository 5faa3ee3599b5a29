"""What a change of structure must not change: pictures, features, telemetry, presets, addresses.

    python benchmarks/unchanged.py record FOLDER [--take FILE.take] [--size 10x10]
    python benchmarks/unchanged.py compare BEFORE AFTER

`record` renders `first-light` and `analytic` whole, a live take `--as-recorded` and an atlas, and prints every preset
and the OSC table; FOLDER/record.json then holds a digest of every frame and of everything else. Only the command line
is used, so that a record made before a change can be held against one made after it on the same machine (bytes depend
on processor, threads and torch). `compare` names each entry that differs and ends with code 1 where one does.

A take for `--take` is made by `python benchmarks/unchanged.py take FILE.take [--seconds 20]`: a headless show of the
embedded world, played over OSC.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FILMS = ("first-light", "analytic")
CLOCKED = {"wall_seconds", "frames_per_second", "version"}  # of film.json: what no two runs share


def latentworld(*arguments: str) -> str:
    """Run a command and return what it prints; ends the program with the command's own words where it fails."""
    done = subprocess.run([sys.executable, "-m", "installation", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"latentworld {' '.join(arguments)}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def digest(content: bytes) -> str:
    """16 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:16]


def film(folder: Path, *arguments: str) -> dict[str, Any]:
    """Render a film as single frames; every frame's pixels, its telemetry and its figures."""
    import cv2

    latentworld("film", *arguments, "-o", str(folder), "--set", "film.codec=frames", "--set", "film.scale=1")
    frames = [digest(cv2.imread(str(file)).tobytes()) for file in sorted((folder / "frames").glob("*.png"))]
    with (folder / "telemetry.csv").open(newline="") as file:
        telemetry = {column: digest("\n".join(row[column] for row in rows).encode())
                     for rows in [list(csv.DictReader(file))] for column in rows[0]}  # fmt: skip
    summary = json.loads((folder / "film.json").read_text())
    kept = {key: value for key, value in summary.items() if key not in CLOCKED} | {"eye": summary["eye"].split("@")[-1]}
    preset = digest((folder / "preset.toml").read_bytes())
    return {"frames": frames, "telemetry": telemetry, "summary": kept, "preset": preset}


def atlas(folder: Path, size: str) -> dict[str, Any]:
    """Survey a window with the faithful decoder and with the scout; features and rates of both."""
    import zarr

    found = {}
    for name, extra in (("faithful", ["--set", "decoder.steps=20"]), ("scout", ["--scout"])):
        place = folder / name
        latentworld("atlas", "survey", "neutral", "-o", str(place), "--size", size, "--no-plots", *extra)
        arrays = zarr.open_group(next(place.rglob("*.zarr")), mode="r")
        found[name] = {key: digest(array[:].tobytes()) for key, array in sorted(arrays.arrays())}
    return found


def record(folder: Path, take: Path | None, size: str) -> None:
    """Everything, into FOLDER/record.json."""
    folder.mkdir(parents=True)
    found: dict[str, Any] = {"osc": digest(latentworld("osc", "table").encode())}
    names = sorted(file.stem for file in (Path(__file__).parent.parent / "presets").glob("*.toml"))
    found["presets"] = {name: digest(latentworld("presets", "show", name).encode()) for name in names}
    for name in FILMS:
        found[name] = film(folder / name, name)
    if take is not None:
        found["take"] = film(folder / "take", "--take", str(take), "--as-recorded")
    found["atlas"] = atlas(folder / "atlas", size)
    (folder / "record.json").write_text(json.dumps(found, indent=1))
    print(folder / "record.json")


def differences(before: Any, after: Any, where: str = "") -> list[str]:
    """Names of the entries that differ, deep."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        return [line for key in keys for line in differences(before.get(key), after.get(key), f"{where}.{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [line for i, pair in enumerate(zip(before, after)) for line in differences(*pair, f"{where}[{i}]")]
    return [] if before == after else [f"{where.lstrip('.')}: {before!r:.80} -> {after!r:.80}"]


def compare(before: Path, after: Path) -> int:
    """Print what differs; 1 where anything does."""
    one, other = (json.loads((folder / "record.json").read_text()) for folder in (before, after))
    found = differences(one, other)
    frames = sum(len(part["frames"]) for part in one.values() if isinstance(part, dict) and "frames" in part)
    print("\n".join(found) or f"equal to the bit: {frames} frames, atlas, telemetry, presets, OSC table")
    return 1 if found else 0


def make_take(file: Path, seconds: float) -> None:
    """A performance: a headless show, played over OSC, its take copied to FILE."""
    from pythonosc.udp_client import SimpleUDPClient

    port = 19000 + os.getpid() % 1000
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["show", "first-light", "--headless", "--no-deck", "--osc", str(port), "--folder", folder]
        show = subprocess.Popen([sys.executable, "-m", "installation", *arguments, "--seconds", str(seconds + 25)])
        client = SimpleUDPClient("127.0.0.1", port)
        time.sleep(20)
        played: list[tuple[str, Any]] = [
            ("record/take", 1), ("walk/speed/raw", 6.0), ("walk/heading", 0.8), ("prompt/b", "a ringed planet"),
            ("prompt/mix", 0.5), ("walk/heading", 0.5), ("walk/position", [0.6, 0.3]), ("seed/vertex/1/raw", 77),
            ("walk/auto", 1), ("walk/kind", "orbit"), ("walk/radius/raw", 1.2), ("prompt/mix", 0.0),
        ]  # fmt: skip
        for address, value in played:
            client.send_message(f"/lw/{address}", value)
            time.sleep(seconds / len(played))
        client.send_message("/lw/record/take", 0)
        show.wait()
        shutil.copy(next((Path(folder) / "takes").glob("*.take")), file)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    one = parts.add_parser("record")
    one.add_argument("folder", type=Path)
    one.add_argument("--take", type=Path)
    one.add_argument("--size", default="10x10")
    other = parts.add_parser("compare")
    other.add_argument("before", type=Path)
    other.add_argument("after", type=Path)
    third = parts.add_parser("take")
    third.add_argument("file", type=Path)
    third.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    if given.part == "record":
        record(given.folder, given.take, given.size)
    elif given.part == "take":
        make_take(given.file, given.seconds)
    else:
        return compare(given.before, given.after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
