"""Models, VAE, LoRA and embeddings that are nearly right: one line each, before a picture is made by them."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from standins import tiny_flow, tiny_world, tiny_xl
from standins.decoders import PROMPT

from latentworld import worlds
from latentworld.decoding import DecoderSettings, faithful_decoder, foresight
from latentworld.decoding.lora import fused, look
from latentworld.decoding.lora_products import directed
from latentworld.errors import NotFinite, WorldDamaged, WorldError, WorldMismatch, WorldMissing
from latentworld.worlds import inversions
from latentworld.worlds.find import find

pytestmark = [pytest.mark.usefixtures("own_cache"), pytest.mark.filterwarnings("ignore:__array__ implementation")]
KINDS = {"sd": tiny_world.folder, "xl": tiny_xl.world, "flow": lambda: tiny_flow.world("flux-dev")}


def picture(world: worlds.World) -> torch.Tensor:
    z = torch.randn(1, *world.shape, generator=torch.Generator().manual_seed(0))
    return faithful_decoder(world, steps=1, guidance=1.0, batch=1)(z, PROMPT)


def test_a_lone_vae_of_sdxl_has_sdxls_scale(tmp_path: Path) -> None:
    held = load_file(tiny_xl.world("file"))
    save_file({key: held[key] for key in held if key.startswith("first_stage_model.")}, tmp_path / "vae.safetensors")
    lent = worlds.load(tiny_xl.world(), vae=tmp_path / "vae.safetensors")
    assert lent.latent == worlds.load(tiny_xl.world()).latent
    own = worlds.load(tiny_xl.world(), vae=tiny_xl.world() / "vae")
    assert (picture(lent) - picture(own)).abs().max() < 1e-4


def test_stable_diffusions_vae_is_refused_in_sdxl() -> None:
    with pytest.raises(WorldMismatch, match=r"is scaled by 0\.18215, as Stable Diffusion 1's is, and .* by 0\.13025"):
        worlds.find.find(tiny_xl.world(), tiny_world.folder("classic") / "vae")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("key", "said", "line"),
    [("scaling_factor", None, "scaling_factor = None, no number"), ("scaling_factor", "big", "= 'big', no number"),
     ("scaling_factor", 0, "scaling_factor = 0"), ("scaling_factor", True, "True, no number")],
)  # fmt: skip
def test_a_scale_that_is_none_is_refused_when_it_is_looked_at(
    kind: str, key: str, said: object, line: str, tmp_path: Path
) -> None:
    made = shutil.copytree(KINDS[kind](), tmp_path / "made")
    file = made / "vae" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: said}))
    with pytest.raises(WorldDamaged, match=line) as error:
        find(made)
    assert "\n" not in str(error.value)


def test_a_tiny_decoder_of_another_world_is_refused(tmp_path: Path) -> None:
    tiny = tiny_world.folder() / "tiny_vae"
    for world in (tiny_flow.world("flux-dev"),):
        with pytest.raises(WorldMismatch, match=r"tiny_vae = .* reads 4 latent channels, and this world has 16"):
            foresight.check(find(world), DecoderSettings("scout", 2, size=(64, 64), tiny_vae=str(tiny)))
    with pytest.raises(WorldMissing, match=r"decoder\.tiny_vae = .*nowhere: there is no such folder"):
        foresight.check(
            find(tiny_world.folder()), DecoderSettings("scout", 2, size=(64, 64), tiny_vae=str(tmp_path / "nowhere"))
        )


def test_shards_without_their_index_are_named(tmp_path: Path) -> None:
    made = shutil.copytree(tiny_world.folder("classic"), tmp_path / "made")
    file = made / "unet" / "diffusion_pytorch_model.safetensors"
    held = load_file(file)
    file.unlink()
    names = sorted(held)
    for number, part in enumerate((names[::2], names[1::2]), 1):
        shard = made / "unet" / f"diffusion_pytorch_model-{number:05d}-of-00002.safetensors"
        save_file({name: held[name] for name in part}, shard, {"format": "pt"})
    with pytest.raises(WorldDamaged, match="lacks the index of its 2 weight files"):
        worlds.load(made)


LAST = {f"lora_unet_final_layer_adaLN_modulation_1.lora_{end}.weight": torch.ones(*shape)
        for end, shape in (("down", (2, 32)), ("up", (64, 2)))}  # fmt: skip


def test_a_lora_that_is_nearly_one_is_called_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(WorldMissing, match="is a folder, no LoRA file: name the file"):
        look(tmp_path / "folder.safetensors")
    (tmp_path / "link.safetensors").symlink_to(tmp_path / "nowhere")
    with pytest.raises(WorldMissing, match="there is no LoRA file"):
        look(tmp_path / "link.safetensors")
    names = ("down", "up")
    save_file({f"double_blocks.0.processor.qkv_lora1.{name}.weight": torch.ones(2, 2) for name in names},
              tmp_path / "x.safetensors")  # fmt: skip
    with pytest.raises(WorldMismatch, match="by XLabs' own names"):
        look(tmp_path / "x.safetensors")
    save_file(LAST, tmp_path / "last.safetensors")
    from latentworld.decoding.settings import LoraSettings

    settings = DecoderSettings(
        "faithful", 2, size=(64, 64), loras=(LoraSettings(str(tmp_path / "last.safetensors"), 1.0),)
    )
    with pytest.raises(WorldMismatch, match="changes final_layer_adaLN_modulation_1, which is not applied here"):
        foresight.check(find(tiny_flow.world("flux-dev")), settings)


def test_an_embedding_of_unequal_halves_is_refused(tmp_path: Path) -> None:
    save_file({"clip_l": torch.ones(2, 32), "clip_g": torch.ones(3, 40)}, tmp_path / "a.safetensors")
    with pytest.raises(WorldMismatch, match="has 2 for clip_l and 3 for clip_g"):
        inversions.read(tmp_path / "a.safetensors")


def test_numbers_that_are_no_picture_in_float32_are_not_blamed_on_float16(tmp_path: Path) -> None:
    made = shutil.copytree(tiny_world.folder("classic"), tmp_path / "made")
    file = made / "unet" / "diffusion_pytorch_model.safetensors"
    held = load_file(file)
    held["conv_out.weight"] = torch.full_like(held["conv_out.weight"], torch.nan)
    save_file(held, file, {"format": "pt"})
    with pytest.raises((NotFinite, WorldError)) as error:
        picture(worlds.load(made))
    assert 'decoder.dtype = "float32"' not in str(error.value)


def test_a_lora_too_large_for_half_precision_is_told(tmp_path: Path) -> None:
    """A change that is finite in float32, of a weight that is kept in float16; plain, and by magnitudes."""
    layer = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    shapes = {"A": (1, 64), "B": (64, 1)}
    plain = {f"unet.{layer}.lora_{end}.weight": torch.full(shape, 300.0) for end, shape in shapes.items()}
    for name, more in (("plain", {}), ("dora", {f"unet.{layer}.lora_magnitude_vector": torch.full((64,), 1e6)})):
        save_file(plain | more, tmp_path / f"{name}.safetensors")
        network = copy.deepcopy(worlds.load(tiny_world.folder("classic")).denoiser).half()
        with pytest.raises(WorldDamaged, match="not finite, or too large"):
            fused(network, tmp_path / f"{name}.safetensors")


def test_a_strength_is_applied_before_the_change_is_rounded(tmp_path: Path) -> None:
    layer = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    down, up = torch.randn(2, 64), torch.randn(64, 2)
    save_file({f"unet.{layer}.lora_A.weight": down, f"unet.{layer}.lora_B.weight": up}, tmp_path / "a.safetensors")
    network = copy.deepcopy(worlds.load(tiny_world.folder("classic")).denoiser).bfloat16()
    own = network.get_parameter(f"{layer}.weight").clone()
    fused(network, tmp_path / "a.safetensors", strength=0.125)
    wanted = own + (0.125 * (up @ down)).bfloat16()
    assert torch.equal(network.get_parameter(f"{layer}.weight"), wanted)


@pytest.mark.parametrize(
    ("shape", "fits"), [((64, 1), False), ((192, 1), True), ((192,), True), ((1, 64), True), ((64,), False)]
)
def test_magnitudes_of_outputs_are_as_many_as_a_fused_layer_has(shape: tuple[int, ...], fits: bool) -> None:
    """64 of one of three that are fused were taken for those of 64 inputs."""
    weight, lengths = torch.randn(192, 64), torch.rand(shape) + 0.5
    if fits:
        assert directed(weight, {"dora_scale": lengths}).shape == weight.shape
    else:
        with pytest.raises(ValueError, match="neither outputs nor inputs"):
            directed(weight, {"dora_scale": lengths})
