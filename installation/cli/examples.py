"""Two examples of every command, for its help and for the tests that run them, without the `latentworld` before."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "": ("film first-light -o out/first-light", "presets"),
    "film": (
        "film first-light -o out/first-light",
        "film neutral -o out/orbit --set walk.kind=orbit --set film.seconds=20",
    ),
    "film status": ("film status out/first-light", "film status out/first-light --json"),
    "film verify": ("film verify out/first-light", "film verify out/first-light --repair"),
    "batch": (
        "batch first-light --matrix 'plane.seeds=[1,2,3],[4,5,6]' -o out/series",
        "batch pieces.toml -o out/pieces --retries 2 --keep-going",
    ),
    "batch status": ("batch status out/series", "batch status out/series --json"),
    "plan": ("plan first-light -o first-light.plan", "plan neutral -o orbit.plan --set walk.kind=orbit --dry-run"),
    "score": ("score import deforum.txt -o piece.toml", "film piece.toml -o out/piece"),
    "score import": (
        "score import deforum.txt -o piece.toml",
        "score import parseq.json -o piece.toml --fade 2 --overwrite",
    ),
    "still": (
        "still first-light --alpha 0.4 --beta 0.6 -o still.png",
        "still first-light --grid 3x3 --scale 2 -o stills",
        "still still.png -o again.png",
    ),
    "show": (
        "show first-light --window --size 512x512",
        "show first-light --headless --no-osc --no-deck --seconds 60",
    ),
    "vertices": ("vertices from-picture a.png b.png -o own.safetensors", "vertices show own.safetensors"),
    "vertices from-picture": (
        "vertices from-picture a.png b.png -o own.safetensors",
        "vertices from-picture a.png --vertex z1=seed:7 -o one.safetensors --strip strip.png",
    ),
    "vertices show": ("vertices show own.safetensors", "film neutral -o out/own --set plane.vertices=own.safetensors"),
    "bridge": ("bridge a.png b.png -o bridge.toml", "bridge a.png b.png -o near.toml --preset neutral --strength 0"),
    "doctor": ("doctor", "doctor --json"),
    "new": ("new my-piece.toml", "new my-piece.toml --walk lissajous --like neutral"),
    "atlas": ("atlas survey neutral -o out/map --scout", "atlas show out/map"),
    "atlas survey": (
        "atlas survey neutral -o out/map --size 50x50 --scout",
        "atlas survey neutral -o out/globe --globe 16 --scout",
    ),
    "atlas show": ("atlas show out/map", "atlas show out/map --count 3 --json"),
    "atlas plot": ("atlas plot out/map --dpi 300 --light", "atlas plot out/map --words 'a cat,mountains,a flower'"),
    "atlas metric": ("atlas metric out/map", "atlas metric out/map --sharpness 40 --no-plots"),
    "atlas export": ("atlas export out/map -o out/pictures", "atlas export out/map -o out/thumbnails --no-full"),
    "atlas import": ("atlas import out/pictures -o out/again", "atlas import out/pictures -o out/own --preset neutral"),
    "atlas zoom": (
        "atlas zoom neutral -o out/zoom --atlas out/map --scout",
        "atlas zoom neutral -o out/place --at 0.25,0.5 --levels 3 --scout",
    ),
    "atlas tour": (
        "atlas tour out/map -o seek.toml", "atlas tour out/map visit --point 0.2,0.3 --point 0.7,0.6 -o visit.toml"
    ),
    "atlas find": ("atlas find out/map 'a cat' -o out/cats", "atlas find out/map 'mountains at dusk' -o out/dusk -n 6"),
    "atlas emergence": ("atlas emergence out/map -o out/emergence", "atlas emergence out/map -o out/some --each 4"),
    "harvest": ("harvest out/map -o out/harvest", "harvest out/map -o out/few -n 12 --by novelty=1,ambiguity=0.5"),
    "prospect": ("prospect neutral -n 200 -o out/prospect", "prospect neutral --prompts prompts.txt -o out/prompts"),
    "worlds": ("worlds", "worlds show embedded"),
    "worlds show": ("worlds show embedded", "worlds show embedded --words"),
    "worlds path": ("worlds path embedded", "worlds show embedded"),
    "presets": ("presets", "presets show cassini"),
    "presets show": ("presets show cassini", "presets show neutral --set walk.kind=orbit"),
    "presets keys": ("presets keys", "presets keys walk"),
    "presets schema": ("presets schema", "presets schema --path"),
    "presets check": ("presets check my-piece.toml", "presets check my-piece.toml --set pacing.speed=6"),
    "gallery": (
        "gallery -o out/gallery --only preset-analytic", "gallery -o out/few --only pilot-ride --only pilot-off"
    ),
    "osc": ("osc table", "osc layout latentworld.tosc"),
    "osc table": ("osc table", "osc layout latentworld.tosc"),
    "osc layout": ("osc layout latentworld.tosc", "osc layout stage.json --world embedded"),
}  # fmt: skip
"""By what is typed to reach a command; "" is `latentworld` itself."""
