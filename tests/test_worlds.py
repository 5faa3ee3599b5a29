"""Worlds: found, looked into, loaded whole, and refused in one line when they are not."""

from __future__ import annotations

import io
import json
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import load_file, save_file
from standins import tiny_world
from standins.original_keys import classic_file as checkpoint
from standins.original_keys import second_file
from torch import Tensor

from latentworld import worlds
from latentworld.decoding import faithful_decoder
from latentworld.decoding.samplers import SAMPLERS
from latentworld.device import choose
from latentworld.errors import (
    PresetError,
    UnknownFamily,
    UnsafeWeights,
    WorldDamaged,
    WorldError,
    WorldMismatch,
    WorldMissing,
)
from latentworld.prompts import Prompt
from latentworld.worlds import HubRef, files, locate
from latentworld.worlds.families.schedules import variance_preserving
from latentworld.worlds.files import one_set
from latentworld.worlds.hub import wanted_files

ROOT = Path(__file__).parent.parent


def one_line(error: pytest.ExceptionInfo[WorldError]) -> bool:
    return "\n" not in str(error.value)


# --- where -------------------------------------------------------------------------------------------------------


ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
HEADERS: dict[str, object] = {
    "nested deep": b'{"a":' + b"[" * 100_000 + b"}",
    "a long number": b'{"a":' + b"9" * 5000 + b"}",
    "a list": [1],
    "offsets that are no whole numbers": {"a": ENTRY | {"data_offsets": [0.0, 4.0]}},
    "offsets before the file": {"a": ENTRY | {"data_offsets": [-4, 4]}},
    "one offset": {"a": ENTRY | {"data_offsets": [4]}},
    "a shape of words": {"a": ENTRY | {"shape": ["x"]}},
    "a shape beyond numbers": {"a": ENTRY | {"shape": [10**30]}},
    "no type": {"a": ENTRY | {"dtype": 3}},
    "metadata that are a list": {"__metadata__": [1], "a": ENTRY},
    "places that overlap": {"a": ENTRY, "b": ENTRY | {"shape": [0]}, "c": ENTRY},
    "a place before the one it follows": {"a": ENTRY, "b": ENTRY | {"data_offsets": [4, 0]}},
    "a shape that its place does not hold": {"a": ENTRY | {"shape": [7]}},
    "a type that nobody knows": {"a": ENTRY | {"dtype": "F9"}},
    "half a surrogate as a name": {"\ud800": ENTRY},
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_of_another_kind_is_damage_in_a_line(case: str, tmp_path: Path) -> None:
    told, path = HEADERS[case], tmp_path / "a.safetensors"
    data = told if isinstance(told, bytes) else json.dumps(told).encode()
    path.write_bytes(len(data).to_bytes(8, "little") + data + bytes(4))
    with pytest.raises(WorldDamaged, match="is damaged") as caught:
        files.header(path)
    assert len(str(caught.value)) < 400


def _pickled(protocol: int) -> bytes:
    return pickle.dumps({"weight": list(range(99))}, protocol)


def _saved() -> bytes:
    torch.save({"weight": torch.zeros(2)}, made := io.BytesIO())
    return made.getvalue()


STRANGERS: list[tuple[bytes, type[WorldError], str]] = [
    (b"", WorldDamaged, "is empty"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3438167534\n", WorldDamaged, "git lfs pull"),
    (b"\n<!DOCTYPE html><html><body>Sign in to continue, please</body></html>", WorldDamaged, "is a web page"),
    *[(_pickled(protocol), UnsafeWeights, "is a pickled file") for protocol in (2, 3, 4, 5)],
    (_saved(), UnsafeWeights, "is a pickled file"),
    (b"\x80\x02" + bytes(6) + b"{}", WorldDamaged, "no safetensors header"),  # 640 bytes of one, cut short
    (b"something else", WorldDamaged, "no safetensors header"),
]


@pytest.mark.parametrize(("data", "error", "words"), STRANGERS)
def test_what_is_no_safetensors_file_is_called_what_it_is(
    data: bytes, error: type[WorldError], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(error, match=words):
        files.header(path)


def test_a_name_is_a_folder_a_file_or_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate("Lykon/dreamshaper-8") == HubRef("Lykon/dreamshaper-8")
    assert locate("Lykon/dreamshaper-8@abc123") == HubRef("Lykon/dreamshaper-8", "abc123")
    assert str(HubRef("a/b", "c")) == "a/b@c"
    (tmp_path / "Lykon" / "dreamshaper-8").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert locate("Lykon/dreamshaper-8") == tmp_path / "Lykon" / "dreamshaper-8"  # what is here comes first
    (tmp_path / "a.safetensors").write_bytes(b"")
    assert locate("a.safetensors") == tmp_path / "a.safetensors"


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("nothing", WorldMissing, "say `embedded`"),
        ("no/such/folder", WorldMissing, "no world"),
        ("models/a.safetensors", WorldMissing, "no world"),
        ("v1-5-pruned.ckpt", UnsafeWeights, "pickled"),
        ("models/a.pt", UnsafeWeights, "convert it to .safetensors"),
    ],
)
def test_what_is_no_world_is_refused(name: str, kind: type[WorldError], words: str) -> None:
    with pytest.raises(kind, match=words) as error:
        locate(name)
    assert one_line(error)


def test_offline_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WorldMissing, match=r"no-one/nothing@v1 is not on this machine.*give its folder") as error:
        worlds.load("no-one/nothing@v1")
    assert one_line(error)


def test_what_was_fetched_once_is_used_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache as the hub's client lays it out; the source pins the commit."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    home = tmp_path / "models--some-one--some-world"
    shutil.copytree(tiny_world.folder(), home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    seen = worlds.inspect("some-one/some-world")
    assert seen.source == f"some-one/some-world@{commit}"
    assert "some-one/some-world" in [summary.name for summary in worlds.listing()]
    xl = tmp_path / "models--some-one--xl"
    (xl / "snapshots" / commit).mkdir(parents=True)
    (xl / "refs").mkdir()
    (xl / "refs" / "main").write_text(commit)
    index = {"_class_name": "KolorsPipeline"}
    (xl / "snapshots" / commit / "model_index.json").write_text(json.dumps(index))
    usable, refused = worlds.survey()
    assert "some-one/some-world" in [summary.name for summary in usable]
    assert [other.name for other in refused] == ["some-one/xl"]
    assert refused[0].why.startswith("this is Kolors (SDXL with a language model in place of CLIP): give a")
    with pytest.raises(UnknownFamily, match="this is Kolors"):  # said of what is cached, without asking the network
        worlds.load("some-one/xl")
    with pytest.raises(WorldMissing, match="@other is not on this machine"):
        worlds.inspect("some-one/some-world@other")


def test_only_safetensors_and_one_set_of_weights_are_fetched() -> None:
    ref, part = HubRef("a/b"), "unet/diffusion_pytorch_model"
    names = ["model_index.json", "README.md", "v1.ckpt", "unet/config.json", f"{part}.bin", "safety_checker/x.bin"]
    both = [*names, f"{part}.safetensors", f"{part}.fp16.safetensors"]
    only_half = [*names, f"{part}.fp16.safetensors"]
    assert wanted_files(ref, both, "model_index.json", ("unet",)) == [
        "model_index.json", "unet/config.json", f"{part}.safetensors",
    ]  # fmt: skip
    assert f"{part}.fp16.safetensors" in wanted_files(ref, only_half, "model_index.json", ("unet",))
    with pytest.raises(UnsafeWeights, match="only pickled weights in unet"):
        wanted_files(ref, names, "model_index.json", ("unet",))
    with pytest.raises(WorldMissing, match=r"has no model_index\.json"):
        wanted_files(ref, names[1:], "model_index.json", ("unet",))


# --- loading -----------------------------------------------------------------------------------------------------


def test_a_world_is_whole() -> None:
    world = worlds.load(tiny_world.folder())
    assert world.shape == (4, 8, 8)
    assert (world.family.name, world.latent.cell, world.latent.multiple) == ("sd1", 8, 16)
    assert world.card.name == "tiny"
    assert world.card.defaults.steps == 4
    assert world.card.defaults.prompt == "a cat"
    assert world.student is not None
    assert world.tiny_vae is not None
    assert world.clip == tiny_world.folder() / "clip"
    for model in (world.denoiser, world.vae, world.text.encoder, world.tiny_vae, world.student.denoiser):
        assert model.dtype == torch.float32
        assert not model.training
        assert not any(weight.requires_grad for weight in model.parameters())
    assert world.schedule["prediction_type"] == "v_prediction"
    assert world.schedule["timestep_spacing"] == "trailing"


def test_a_plain_checkpoint_has_derived_defaults() -> None:
    world = worlds.load(tiny_world.folder("plain"))
    assert (world.card.size, world.card.prediction) == (64, "epsilon")
    assert world.card.defaults.prompt == "High quality picture, 4k, detailed"
    assert world.card.defaults.negative == "blurry, ugly, stock photo"
    assert (world.student, world.tiny_vae, world.clip) == (None, None, None)


def test_the_digest_is_of_what_pictures_depend_on(tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_world.folder(), tmp_path / "copy")
    first = worlds.load(copy).digest
    (copy / "card.toml").write_text('name = "other"\nsize = 64\n')
    assert worlds.load(copy).digest == first == worlds.load(tiny_world.folder()).digest
    file = copy / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({key: value + 1 for key, value in load_file(file).items()}, file)
    assert worlds.load(copy).digest != first


def test_old_scheduler_configs_are_repaired_as_the_pipeline_does() -> None:
    """DreamShaper's is DEIS and says nothing of clip_sample: DDIM's own default would clip latents."""
    config = variance_preserving({"_class_name": "DEISMultistepScheduler", "beta_start": 0.00085, "solver_order": 2})
    made = SAMPLERS["ddim"].scheduler(config)
    assert type(SAMPLERS["ddim"].library(config)).__name__ == "DDIMScheduler"
    assert [made.config[key] for key in ("clip_sample", "steps_offset", "beta_start")] == [False, 1, 0.00085]


def test_the_embedded_world_if_it_is_there() -> None:
    if not (worlds.EMBEDDED / "model_index.json").is_file():
        with pytest.raises(WorldMissing, match="the embedded world is not in"):
            locate("embedded")
    else:
        assert worlds.inspect("embedded").source == "embedded"


# --- looking -----------------------------------------------------------------------------------------------------


def test_looking_loads_nothing() -> None:
    program = (
        "import sys; from latentworld import worlds\n"
        "seen = worlds.inspect(sys.argv[1]); worlds.listing()\n"
        "print(seen.size, seen.prediction, seen.student, seen.clip, round(seen.disk_mb, 1))\n"
        "print([name for name in ('torch', 'diffusers', 'transformers', 'safetensors.torch') if name in sys.modules])"
    )
    argv = [sys.executable, "-c", program, str(tiny_world.folder())]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    size = sum(file.stat().st_size for file in tiny_world.folder().rglob("*") if file.is_file()) / 1e6
    assert done.stdout.split("\n")[:2] == [f"64 v_prediction True True {size:.1f}", "[]"]


@pytest.mark.parametrize("variant", [None, "fp16", "bf16"])
def test_weights_in_several_files_are_read(variant: str | None, tmp_path: Path) -> None:
    """Whole, whichever variant: what diffusers and transformers write with `max_shard_size` and `variant`."""
    plain = worlds.load(tiny_world.folder("plain"))
    world = shutil.copytree(tiny_world.folder("plain"), tmp_path / "world")
    for name, model in (("unet", plain.denoiser), ("vae", plain.vae), ("text_encoder", plain.text.encoder)):
        for file in (world / name).glob("*.safetensors"):
            file.unlink()
        model.save_pretrained(world / name, variant=variant, max_shard_size="60KB")
        assert len(list((world / name).glob("*-of-*.safetensors"))) > 1
    seen, loaded = worlds.inspect(world), worlds.load(world)
    assert seen.parameters == worlds.inspect(tiny_world.folder("plain")).parameters
    mine, theirs = loaded.denoiser.state_dict(), plain.denoiser.state_dict()
    assert all(torch.equal(mine[key], theirs[key]) for key in theirs)
    next((world / "unet").glob("*-of-*.safetensors")).unlink()
    with pytest.raises(WorldDamaged, match=r"unet holds \d+ of \d+ weight files"):
        worlds.inspect(world)


def test_one_set_of_weights_is_taken() -> None:
    both = ["model.fp16.safetensors", "model.safetensors"]
    assert one_set(both) == ["model.safetensors"]
    shards = ["m.fp16-00001-of-00002.safetensors", "m.fp16-00002-of-00002.safetensors"]
    assert one_set(["m.non_ema.safetensors", *shards]) == shards
    assert one_set(["m.non_ema.safetensors"]) == ["m.non_ema.safetensors"]


def test_a_tokenizer_that_says_no_length_is_read_to_the_encoders_places(tmp_path: Path) -> None:
    world = shutil.copytree(tiny_world.folder("plain"), tmp_path / "world")
    config = world / "tokenizer" / "tokenizer_config.json"
    told = json.loads(config.read_text())
    z = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    wanted = faithful_decoder(worlds.load(tiny_world.folder("plain")), steps=1, batch=1)(z, Prompt("a cat", "blurry"))
    for said in ({}, {"model_max_length": 10**30}):
        rest = {key: value for key, value in told.items() if key != "model_max_length"}
        config.write_text(json.dumps(rest | said))
        made = faithful_decoder(worlds.load(world), steps=1, batch=1)(z, Prompt("a cat", "blurry"))
        assert torch.equal(made, wanted)


def test_parameters_are_counted() -> None:
    world, seen = worlds.load(tiny_world.folder()), worlds.inspect(tiny_world.folder())
    assert seen.parameters["unet"] == sum(weight.numel() for weight in world.denoiser.parameters())


# --- damage ------------------------------------------------------------------------------------------------------


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def rename_to_bin(path: Path) -> None:
    path.rename(path.with_suffix(".bin"))


def lose_a_weight(path: Path) -> None:
    weights = load_file(path)
    weights.pop(sorted(weights)[0])
    save_file(weights, path)


WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.mark.parametrize(
    ("file", "harm", "kind", "words"),
    [
        (f"unet/{WEIGHTS}", halve, WorldDamaged, f"unet/{WEIGHTS} is damaged"),
        (f"student/unet/{WEIGHTS}", halve, WorldDamaged, f"student/unet/{WEIGHTS} is damaged"),
        ("text_encoder/model.safetensors", lambda path: path.write_bytes(b"x"), WorldDamaged, "is damaged"),
        (f"vae/{WEIGHTS}", Path.unlink, WorldDamaged, "vae holds no .safetensors weights"),
        (f"vae/{WEIGHTS}", rename_to_bin, UnsafeWeights, "diffusion_pytorch_model.bin is pickled"),
        (f"unet/{WEIGHTS}", lose_a_weight, WorldDamaged, "unet lacks 1 weights"),
        ("text_encoder/model.safetensors", lose_a_weight, WorldDamaged, "text_encoder lacks 1 weights"),
        ("tokenizer", shutil.rmtree, WorldDamaged, "tokenizer is missing"),
        ("tokenizer/vocab.json", Path.unlink, WorldDamaged, "vocab.json is missing"),
        ("tokenizer/vocab.json", halve, WorldDamaged, "tokenizer cannot be read"),
        ("scheduler/scheduler_config.json", Path.unlink, WorldDamaged, "scheduler_config.json is missing"),
        ("student/scheduler", shutil.rmtree, WorldDamaged, "student/scheduler is missing"),
        ("unet/config.json", halve, WorldDamaged, "unet/config.json cannot be read"),
        ("card.toml", lambda path: path.write_text("size = ["), WorldDamaged, "card.toml is no TOML"),
        (
            "card.toml",
            lambda path: path.write_text("size = 65"),
            WorldDamaged,
            "card.toml: size: Stable Diffusion 1 makes pictures in multiples of 16 pixels here, not 65",
        ),
    ],
)
def test_damage_names_the_file(
    file: str, harm: Callable[[Path], object], kind: type[WorldError], words: str, tmp_path: Path
) -> None:
    world = shutil.copytree(tiny_world.folder(), tmp_path / "world")
    harm(world / file)
    with pytest.raises(kind, match=words) as error:
        worlds.load(world)
    assert one_line(error)


# --- a single file -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sd1", "sd2"])
def test_a_single_file_is_the_same_world(kind: str, tmp_path: Path) -> None:
    if kind == "sd1":
        path, plain, widths = checkpoint(tmp_path), worlds.load(tiny_world.folder("classic")), [32, 64]
    else:
        made = tiny_world.build(tmp_path / "sd2", shape=tiny_world.SECOND, prediction="epsilon", extras=False)
        plain, widths = worlds.load(made), [64, 128]
        path = second_file(tmp_path, plain)
    seen = worlds.inspect(path)
    assert seen.family.name == plain.family.name == kind
    assert (seen.size, seen.prediction, seen.card.title, seen.student) == (64, "epsilon", "One file", False)
    assert seen.parameters["unet"] == sum(weight.numel() for weight in plain.denoiser.parameters())
    world = worlds.load(path)
    assert world.shape == plain.shape
    assert world.denoiser.config.block_out_channels == widths
    assert world.denoiser.config.down_block_types == ["DownBlock2D", "CrossAttnDownBlock2D"]
    assert world.schedule["prediction_type"] == "epsilon"
    for one, other in (
        (world.denoiser, plain.denoiser),
        (world.vae, plain.vae),
        (world.text.encoder, plain.text.encoder),
    ):
        mine, theirs = one.state_dict(), other.state_dict()
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    z = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    both = [faithful_decoder(one, steps=2, batch=1)(z, Prompt("a cat", "blurry")) for one in (world, plain)]
    assert torch.equal(*both)


def test_a_single_file_that_lacks_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = checkpoint(tmp_path)
    shutil.rmtree(tmp_path / "tokenizer")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WorldMissing, match=r"put a tokenizer folder \(vocab.json, merges.txt\) at") as error:
        worlds.load(path)
    assert one_line(error)
    whole = load_file(path)
    save_file({key: value for key, value in whole.items() if "cond_stage_model" not in key}, path)
    with pytest.raises(WorldDamaged, match="no text encoder"):
        worlds.load(path)
    name = "model.diffusion_model.input_blocks.0.0.weight"
    save_file(whole | {name: torch.zeros(32, 9, 3, 3)}, path)
    with pytest.raises(UnknownFamily, match="an inpainting model with 9 input channels"):
        worlds.inspect(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UnknownFamily, match="is no model that is known here: give a Stable Diffusion 1"):
        worlds.load(path)


@pytest.fixture(scope="module")
def parts() -> dict[str, Tensor]:
    """The weights of the classic tiny world by the names of the original code."""
    with tempfile.TemporaryDirectory() as folder:
        return load_file(checkpoint(Path(folder)))


def written(folder: Path, parts: dict[str, Tensor], **metadata: str) -> Path:
    """A file of these weights, its tokenizer and card beside it."""
    save_file({key: value.contiguous() for key, value in parts.items()}, folder / "tiny.safetensors", metadata=metadata)
    shutil.copytree(tiny_world.folder("classic") / "tokenizer", folder / "tokenizer", dirs_exist_ok=True)
    (folder / "tiny.toml").write_text("size = 64\n")
    return folder / "tiny.safetensors"


def picture(path: Path, **options: str | Path) -> Tensor:
    z = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return faithful_decoder(worlds.load(path, **options), steps=2, batch=1)(z, Prompt("a cat", "blurry"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"^(cond_stage_model\.transformer)\.text_model\.", r"\1."),
        (r"(mid\.attn_1)\.(q|k|v)\.", r"\1.to_\2."),
        (r"(mid\.attn_1)\.proj_out\.", r"\1.to_out.0."),
        (r"(mid\.attn_1)\.norm\.", r"\1.group_norm."),
        (r"^first_stage_model\.", "vae."),
        (r"^first_stage_model\.(encoder|quant_conv)\..*", ""),  # a VAE that only decodes
    ],
)
def test_a_single_file_by_other_names_is_the_same_world(
    old: str, new: str, parts: dict[str, Tensor], tmp_path: Path
) -> None:
    renamed = {re.sub(old, new, key): value for key, value in parts.items()}
    renamed.pop("", None)
    assert renamed.keys() != parts.keys()
    assert torch.equal(picture(written(tmp_path, renamed)), picture(tiny_world.folder("classic")))


def test_a_file_without_a_vae_takes_one_by_name(parts: dict[str, Tensor], tmp_path: Path) -> None:
    bare = {key: value for key, value in parts.items() if not key.startswith("first_stage_model.")}
    path, wanted = written(tmp_path, bare), picture(tiny_world.folder("classic"))
    with pytest.raises(WorldDamaged, match=r"has no VAE: name one as world\.vae"):
        worlds.inspect(path)
    vae = {key: value for key, value in parts.items() if key.startswith("first_stage_model.")}
    save_file(vae, tmp_path / "vae.safetensors")
    save_file({key.removeprefix("first_stage_model."): value for key, value in vae.items()}, tmp_path / "b.safetensors")
    for name in (
        tiny_world.folder("classic") / "vae",
        tiny_world.folder("classic"),
        "vae.safetensors",
        "b.safetensors",
    ):
        assert torch.equal(picture(path, vae=tmp_path / name), wanted)
    digests = {worlds.load(path, vae=tmp_path / name).digest for name in ("vae.safetensors", "b.safetensors")}
    assert len(digests) == 2
    with pytest.raises(WorldMismatch, match="holds no VAE by the names"):
        worlds.load(path, vae=path)


def test_another_vae_goes_before_a_worlds_own(parts: dict[str, Tensor], tmp_path: Path) -> None:
    """Of a folder and of a file: what its config says of the scale counts, and latents of another shape are refused."""
    home = tiny_world.folder("classic")
    other = shutil.copytree(home / "vae", tmp_path / "vae")
    weights = other / "diffusion_pytorch_model.safetensors"
    save_file({key: 2 * value for key, value in load_file(weights).items()}, weights)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"scaling_factor": 0.5}))
    whole = shutil.copytree(home, tmp_path / "whole")
    shutil.rmtree(whole / "vae")
    shutil.copytree(other, whole / "vae")
    file = written(tmp_path, parts)
    assert worlds.load(home, vae=other).latent.scale == 0.5
    assert torch.equal(picture(home, vae=other), picture(whole))
    assert torch.equal(picture(file, vae=other), picture(whole))
    assert worlds.load(home, vae=other).digest != worlds.load(home).digest
    (other / "config.json").write_text(json.dumps(config | {"latent_channels": 16}))
    with pytest.raises(WorldMismatch, match=r"latents of 16 channels .* give a VAE made for this world"):
        worlds.load(home, vae=other)
    (other / "config.json").write_text(json.dumps(config | {"_class_name": "VQModel"}))
    with pytest.raises(WorldMismatch, match="is of class VQModel"):
        worlds.load(home, vae=other)


def test_a_vae_that_only_decodes_is_enough_in_a_folder(tmp_path: Path) -> None:
    world = shutil.copytree(tiny_world.folder("plain"), tmp_path / "world")
    file = world / "vae" / WEIGHTS
    whole = load_file(file)
    save_file({key: value for key, value in whole.items() if not key.startswith(("encoder.", "quant_conv."))}, file)
    assert torch.equal(picture(world), picture(tiny_world.folder("plain")))
    save_file({key: value for key, value in whole.items() if not key.startswith("decoder.conv_in")}, file)
    with pytest.raises(WorldDamaged, match="vae lacks 2 weights"):
        worlds.load(world)


@pytest.mark.parametrize(
    ("markers", "metadata", "prediction", "size", "zero"),
    [
        ((), {}, "epsilon", 512, False),
        (("v_pred",), {}, "v_prediction", 512, False),
        (("v_pred", "ztsnr"), {"modelspec.prediction_type": "epsilon"}, "v_prediction", 512, True),
        ((), {"modelspec.prediction_type": "v", "modelspec.resolution": "768x768"}, "v_prediction", 768, False),
        (
            (),
            {"modelspec.architecture": "stable-diffusion-v1", "modelspec.resolution": "512x768"},
            "epsilon",
            512,
            False,
        ),
        ((), {"modelspec.architecture": "stable-diffusion-v2-768-v"}, "v_prediction", 768, False),
    ],
)
def test_what_a_file_says_of_itself_is_read(
    markers: tuple[str, ...], metadata: dict[str, str], prediction: str, size: int, zero: bool,
    parts: dict[str, Tensor], tmp_path: Path,
) -> None:  # fmt: skip
    path = written(tmp_path, parts | {name: torch.zeros(0) for name in markers}, **metadata)
    (tmp_path / "tiny.toml").unlink()
    seen, world = worlds.inspect(path), worlds.load(path)
    assert (seen.prediction, seen.size) == (prediction, size)
    scheduler = SAMPLERS["ddim"].scheduler(world.schedule)
    assert scheduler.config["prediction_type"] == prediction
    assert scheduler.config["rescale_betas_zero_snr"] == zero
    scheduler.set_timesteps(4)
    assert (int(scheduler.timesteps[0]) == 999) == zero
    (tmp_path / "tiny.toml").write_text('prediction = "sample"\nsize = 64\n')  # the card goes before
    assert (worlds.inspect(path).prediction, worlds.inspect(path).size) == ("sample", 64)


def test_weights_that_the_unet_has_not_are_refused(parts: dict[str, Tensor], tmp_path: Path) -> None:
    path = written(tmp_path, parts | {"model.diffusion_model.position_net.x": torch.zeros(1)})
    with pytest.raises(WorldMismatch, match=r"tiny\.safetensors: its UNet has 1 weights .*position_net\.x"):
        worlds.load(path)
    path = written(tmp_path, parts | {"model.diffusion_model.out.2.scale_weight": torch.zeros(1)})
    with pytest.raises(UnknownFamily, match="a quantised model: give it in float16 or float32"):
        worlds.inspect(path)


@pytest.mark.parametrize(
    ("typo", "words"),
    [('predicton = "v_prediction"', "did you mean 'prediction'?"), ("[defaults]\nscout_stpes = 2", "'scout_steps'?")],
)
def test_a_folders_card_holds_nothing_unknown_but_how_it_was_made(typo: str, words: str, tmp_path: Path) -> None:
    world, made = shutil.copytree(tiny_world.folder(), tmp_path / "world"), "latent = [4, 8, 8]\n[cast]\nanything = 1\n"
    (world / "card.toml").write_text(made)
    worlds.inspect(world)
    (world / "card.toml").write_text(f"{typo}\n")
    with pytest.raises(WorldDamaged, match=re.escape(words)):
        worlds.inspect(world)


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ('predicton = "v_prediction"', "unknown key 'predicton': did you mean 'prediction'?"),
        ("[defaults]\nguidence = 1.0", "unknown key 'defaults.guidence': did you mean 'guidance'?"),
        ('[[subjects]]\nname = "a"\nprompt = "b"\nseed = 1', "unknown key 'subjects.seed'"),
        ("[train]\nsteps = 1", "unknown key 'train'"),
    ],
)
def test_a_files_card_holds_nothing_unknown(card: str, words: str, parts: dict[str, Tensor], tmp_path: Path) -> None:
    path = written(tmp_path, parts)
    (tmp_path / "tiny.toml").write_text('[defaults]\nnegative_prompt = "x"\n[[families]]\nname = "a"\nprompt = "b"\n')
    worlds.inspect(path)
    (tmp_path / "tiny.toml").write_text(card)
    with pytest.raises(WorldDamaged, match=re.escape(words)):
        worlds.inspect(path)


# --- the machine -------------------------------------------------------------------------------------------------


def test_auto_on_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr("latentworld.device.has_openvino", lambda: True)
    small, large = choose(size=128), choose(size=512)
    assert (small.device, small.dtype, small.engine, small.batch) == ("cpu", "float32", "openvino", 8)
    assert large.batch < small.batch
    monkeypatch.setattr("latentworld.device.has_openvino", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert choose().engine == "eager"
    assert choose(engine="compile", batch=3) == replace(choose(), engine="compile", batch=3)


def test_auto_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    asked = []

    def free(device: torch.device) -> tuple[int, int]:
        asked.append(device)
        return 10**9 if device.index == 1 else 24 * 10**9, 24 * 10**9

    monkeypatch.setattr(torch.cuda, "mem_get_info", free)
    chosen = choose(size=512)
    assert (chosen.device, chosen.dtype, chosen.batch) == ("cuda", "float16", 8)
    assert chosen.engine in ("compile", "graphs")  # by what there is to compile with
    second = choose(device="cuda:1", engine="graphs", size=768)
    assert (second.device, second.batch) == ("cuda:1", 1)  # its own memory is asked for
    assert asked == [torch.device("cuda"), torch.device("cuda:1")]
    with pytest.raises(PresetError, match="there are 2 CUDA devices here; use one of cuda:0, cuda:1"):
        choose(device="cuda:2")


def test_float32_on_a_gpu_is_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    try:
        cudnn.allow_tf32 = matmul.allow_tf32 = True
        worlds.load(tiny_world.folder("plain"))
        assert (cudnn.allow_tf32, matmul.allow_tf32) == (True, True)  # a processor's affair it is not
        if not torch.cuda.is_available():
            with pytest.raises((AssertionError, RuntimeError)):
                worlds.load(tiny_world.folder("plain"), device="cuda:1")
        else:
            worlds.load(tiny_world.folder("plain"), device="cuda")
        assert (cudnn.allow_tf32, matmul.allow_tf32) == (False, False)
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"device": "tpu"}, "use one of auto, cpu, cuda, mps"),
        ({"device": "cuda"}, "sees no CUDA device"),
        ({"dtype": "int8"}, "use one of auto, float32"),
        ({"dtype": "float16"}, "use 'float32'"),
        ({"engine": "fast"}, "use one of auto, eager"),
        ({"engine": "graphs"}, "needs a CUDA device"),
        ({"engine": "openvino", "dtype": "bfloat16"}, "runs in float32"),
        ({"batch": 0}, "at least 1"),
        ({"batch": "many"}, "or 'auto'"),
    ],
)
def test_what_a_machine_cannot_do_is_refused(
    asked: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(PresetError, match=words):
        choose(**asked)  # type: ignore[arg-type]


def test_compiling_without_a_compiler_is_refused_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setenv("CXX", "my-c++")
    with pytest.raises(PresetError, match=r"needs a C\+\+ compiler \(my-c\+\+\), which is not found here.*'eager'"):
        choose(device="cpu", engine="compile")
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PresetError, match="needs triton"):
        choose(device="cuda", engine="compile")


def test_a_card_may_say_more_than_is_known(tmp_path: Path) -> None:
    world = shutil.copytree(tiny_world.folder(), tmp_path / "world")
    families = '[[families]]\nname = "cat"\nprompt = "a cat"\nscene = "cats"\n'
    told = '[defaults]\nnegative_prompt = "ugly"\n' + families + "[cast]\ndate = 2026-11-21\n[figures]\npsnr = 27.5\n"
    (world / "card.toml").write_text(told)
    card = worlds.inspect(world).card
    assert (card.size, card.defaults.negative, card.subjects[0].prompt) == (64, "ugly", "a cat")
    assert card.figures == {"psnr": 27.5}
    assert json.loads(card.model_dump_json())["name"] == "world"
