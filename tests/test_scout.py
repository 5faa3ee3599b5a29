"""The scout: the student with the tiny autoencoder, its scheduler's step, its noise, LoRAs."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import LCMScheduler, StableDiffusionPipeline
from safetensors.torch import save_file
from standins import tiny_world
from standins.decoders import PROMPT, latents, world

from latentworld import worlds
from latentworld.decoding import faithful_decoder, lora_names, scout_decoder
from latentworld.decoding.lora import fused
from latentworld.decoding.samplers import SAMPLERS, lcm, noise_of
from latentworld.errors import Notice, UnsafeWeights, WorldDamaged, WorldMismatch, WorldMissing

pytestmark = pytest.mark.usefixtures("own_cache")


def test_the_scout_is_the_student_with_the_tiny_vae() -> None:
    decoder = scout_decoder(world(), steps=2, batch=2)
    assert (decoder.profile.kind, decoder.profile.variant, decoder.profile.sampler) == ("scout", "student/tiny", "ddim")
    assert decoder.profile.guidance == 1.0
    pipe = StableDiffusionPipeline(
        vae=world().tiny_vae, unet=world().student.denoiser, text_encoder=world().text.encoder,  # type: ignore[union-attr]
        tokenizer=world().text.tokenizer, scheduler=SAMPLERS["ddim"].scheduler(world().schedule),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    asked = {"prompt": PROMPT.positive, "guidance_scale": 1.0, "num_inference_steps": 2, "output_type": "pt"}
    theirs = pipe(**asked, latents=latents(2), num_images_per_prompt=2).images
    assert (decoder(latents(2), PROMPT) - theirs).abs().max() < 0.5 / 255


def test_one_step_is_the_lcm_schedulers() -> None:
    """With one step nothing is re-noised, so our step and the library's agree exactly."""
    scheduler = SAMPLERS["lcm"].scheduler(world("plain").schedule)
    assert isinstance(scheduler, LCMScheduler)
    scheduler.set_timesteps(1)
    time, z, out = scheduler.timesteps[0], latents(2), latents(2, seed=9)
    ours = lcm(scheduler, out, time, z, z)
    scheduler.set_timesteps(1)
    assert torch.equal(ours, scheduler.step(out, time, z, return_dict=False)[0])


def test_more_steps_renoise_with_the_starts_own_noise() -> None:
    """Between steps: sqrt(abar) x_0 + sqrt(1 - abar) noise, at the level of the next; the last one is x_0."""
    ours, theirs = (SAMPLERS["lcm"].scheduler(world("plain").schedule) for _ in range(2))
    ours.set_timesteps(4)
    theirs.set_timesteps(4)
    z = sample = latents(2)
    for number, time in enumerate(ours.timesteps):
        out = latents(2, seed=20 + number)
        clean = theirs.step(out, time, sample, return_dict=False)[1]
        after = lcm(ours, out, time, sample, z)
        if number == 3:
            assert torch.equal(after, clean)
            break
        kept = ours.alphas_cumprod[ours.timesteps[number + 1]]
        expected = kept**0.5 * clean + (1 - kept) ** 0.5 * noise_of(z, number + 1)
        torch.testing.assert_close(after, expected)
        assert 0.001 < kept < 0.95  # there is noise to add
        sample = after


def test_the_noise_is_white_continuous_and_a_function_of_the_start() -> None:
    z = latents(2)
    noise = noise_of(z, 1)
    assert torch.allclose(
        noise, noise_of(3 * z, 1), atol=1e-5
    )  # of the direction: past the shell it is still of unit variance
    assert torch.allclose(noise.flatten(1).norm(dim=1), torch.tensor(256.0).sqrt())
    ramp = noise_of(torch.arange(256.0).view(1, 4, 8, 8) - 100, 1).flatten()[:4]
    torch.testing.assert_close(
        ramp, torch.tensor([0.164868, -1.36967, 0.253643, 1.96573])
    )  # what pictures were made with
    assert 0.4 < (noise_of(torch.ones(1, 4, 8, 8), 1) < 0).float().mean() < 0.6
    near = noise_of(z + 1e-4 * latents(2, seed=3), 1)
    assert (near - noise).abs().max() < 1e-3
    for other in (z, noise_of(z, 2)):
        cosine = torch.cosine_similarity(noise.flatten(1), other.flatten(1))
        assert cosine.abs().max() < 0.25  # 256 elements: 4 standard deviations


def test_a_lora_of_a_convolution_is_fused_and_its_part_for_the_text_encoder_left_alone(tmp_path: Path) -> None:
    with tiny_world.seeded(4):
        unet = tiny_world.unet()
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    down, up = torch.randn(2, unet.conv_in.weight[0].numel()), torch.randn(len(unet.conv_in.weight), 2)
    text = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
    older = "text_encoder.text_model.encoder.layers.0.self_attn.q_proj"
    other = {f"{text}.lora_down.weight": torch.ones(2, 8), f"{text}.lora_up.weight": torch.ones(8, 2),
             f"{older}.lora_A.weight": torch.ones(2, 8), f"{older}.lora_B.weight": torch.ones(8, 2)}  # fmt: skip
    own = {"lora_unet_conv_in.lora_down.weight": down.view(2, *unet.conv_in.weight.shape[1:]),
           "lora_unet_conv_in.lora_up.weight": up.view(-1, 2, 1, 1)}  # fmt: skip
    save_file(own | other, tmp_path / "both.safetensors")
    save_file(other, tmp_path / "text.safetensors")
    with pytest.warns(Notice, match=r"parts for the text encoder \(4 weights\) are not used"):
        fused(unet, tmp_path / "both.safetensors")
    change = {name for name, value in unet.state_dict().items() if not torch.equal(value, before[name])}
    assert change == {"conv_in.weight"}
    torch.testing.assert_close(unet.conv_in.weight, before["conv_in.weight"] + (up @ down).view_as(unet.conv_in.weight))
    with pytest.raises(WorldDamaged, match="no LoRA of a UNet"):
        fused(unet, tmp_path / "text.safetensors")


def test_a_file_that_is_no_safetensors_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"")
    with pytest.raises(UnsafeWeights, match="convert the LoRA"):
        fused(torch.nn.Linear(1, 1), tmp_path / "a.bin")
    with pytest.raises(WorldMissing, match="check the path"):
        fused(torch.nn.Linear(1, 1), tmp_path / "none.safetensors")


def test_a_lora_of_another_size_is_refused(tmp_path: Path) -> None:
    with tiny_world.seeded(4):
        unet = tiny_world.unet()
    stem = "lora_unet_conv_in"
    save_file(
        {f"{stem}.lora_down.weight": torch.ones(2, 9), f"{stem}.lora_up.weight": torch.ones(5, 2)},
        tmp_path / "a.safetensors",
    )
    with pytest.raises(WorldMismatch, match="does not fit conv_in"):
        fused(unet, tmp_path / "a.safetensors")


@pytest.mark.parametrize("layout", ["kohya", "peft", "old"])
def test_a_lora_is_fused(layout: str, tmp_path: Path) -> None:
    with tiny_world.seeded(4):
        unet = tiny_world.unet()
    name = "mid_block.attentions.0.transformer_blocks.0.attn1." + ("to_out.0" if layout == "old" else "to_q")
    layer = unet.get_submodule(name)
    down, up = torch.randn(2, 64), torch.randn(64, 2)
    if layout == "kohya":
        stem = "lora_unet_" + name.replace(".", "_")
        parts = {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.alpha": torch.tensor(1.0)}
        wanted = layer.weight + 0.5 * up @ down
    elif layout == "old":
        stem = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora"
        parts = {f"{stem}.down.weight": down, f"{stem}.up.weight": up}
        wanted = layer.weight + up @ down
    else:
        parts = {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
        wanted = layer.weight + up @ down
    save_file(parts, tmp_path / "a.safetensors")
    fused(unet, tmp_path / "a.safetensors")
    assert torch.allclose(layer.weight, wanted, atol=1e-5)
    save_file(
        {key.replace("to_q", "to_nothing").replace("to_out", "to_nothing"): value for key, value in parts.items()},
        tmp_path / "b.safetensors",
    )
    with pytest.raises(WorldMismatch, match="that this world lacks"):
        fused(unet, tmp_path / "b.safetensors")


def one_lora(path: Path, keys: dict[str, torch.Tensor], **metadata: object) -> Path:
    """A LoRA file; metadata as JSON."""
    save_file(keys, path, metadata={key: json.dumps(value) for key, value in metadata.items()})
    return path


NAME = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
THEIRS = "middle_block.1.transformer_blocks.0.attn1.to_q"
KOHYA = "lora_unet_" + NAME.replace(".", "_")


def with_lora(path: Path, layer: str = NAME) -> torch.Tensor:
    """By how much a LoRA changes a layer's weight."""
    with tiny_world.seeded(4):
        unet = tiny_world.unet()
    before = unet.get_submodule(layer).weight.clone()
    return (fused(unet, path).get_submodule(layer).weight - before).detach()


@pytest.mark.parametrize(
    ("down", "up"),
    [
        (f"base_model.model.{NAME}.lora_A.default.weight", f"base_model.model.{NAME}.lora_B.default.weight"),
        (f"unet.{NAME}.lora_A.default_0.weight", f"unet.{NAME}.lora_B.default_0.weight"),
        (
            f"lora_unet_{THEIRS.replace('.', '_')}.lora_down.weight",
            f"lora_unet_{THEIRS.replace('.', '_')}.lora_up.weight",
        ),
        (f"diffusion_model.{THEIRS}.lora_down.weight", f"diffusion_model.{THEIRS}.lora_up.weight"),
    ],
)
def test_a_lora_is_read_by_whatever_names_it_has(down: str, up: str, tmp_path: Path) -> None:
    a, b = torch.randn(2, 64), torch.randn(64, 2)
    torch.testing.assert_close(with_lora(one_lora(tmp_path / "A.SAFETENSORS", {down: a, up: b})), b @ a)


def test_original_names_are_known_for_every_layer() -> None:
    """The other way round than `ldm_unet` of test_worlds has them, which checkpoints are read by."""
    from test_worlds import ldm_unet

    unet = tiny_world.unet()
    theirs = ldm_unet({name: value for name, value in unet.named_parameters() if name.endswith(".weight")})
    named = lora_names.layers(unet)
    for (name, _), key in zip(
        ((name, value) for name, value in unet.named_parameters() if name.endswith(".weight")), theirs, strict=True
    ):
        stem = key.removeprefix("model.diffusion_model.").removesuffix(".weight").replace(".", "_")
        assert named[stem] == name


@pytest.mark.parametrize(
    ("metadata", "scale"),
    [
        ({"r": 2, "lora_alpha": 8}, 4.0),
        ({"unet.r": 2, "unet.lora_alpha": 8, "text_encoder.lora_alpha": 1}, 4.0),
        ({"lora_alpha": 8, "alpha_pattern": {"attn1.to_q": 2, "attn2.to_q": 6}}, 1.0),
        ({"lora_alpha": 8, "use_rslora": True}, 8 / 2**0.5),
    ],
)
def test_alpha_is_read_from_where_peft_writes_it(metadata: dict[str, object], scale: float, tmp_path: Path) -> None:
    a, b = torch.randn(2, 64), torch.randn(64, 2)
    keys = {f"unet.{NAME}.lora_A.weight": a, f"unet.{NAME}.lora_B.weight": b}
    told = one_lora(tmp_path / "told.safetensors", keys, lora_adapter_metadata=metadata)
    torch.testing.assert_close(with_lora(told), scale * b @ a)
    beside = one_lora(tmp_path / "adapter_model.safetensors", keys)
    torch.testing.assert_close(with_lora(beside), b @ a)
    (tmp_path / "adapter_config.json").write_text(json.dumps(metadata if "r" in metadata else {"lora_alpha": 8}))
    torch.testing.assert_close(with_lora(beside), 4.0 * b @ a)
    own = one_lora(tmp_path / "own.safetensors", keys | {f"unet.{NAME}.alpha": torch.tensor(1.0)})
    torch.testing.assert_close(with_lora(own), 0.5 * b @ a)


def test_a_factor_between_the_two_is_applied(tmp_path: Path) -> None:
    """LoCon's third factor, the kernel of a convolution, or a mixing of ranks."""
    down, mid, up = torch.randn(2, 64, 1, 1), torch.randn(2, 2, 3, 3), torch.randn(64, 2, 1, 1)
    layer = "mid_block.resnets.0.conv1"
    stem = "lora_unet_" + layer.replace(".", "_")
    keys = {f"{stem}.lora_down.weight": down, f"{stem}.lora_mid.weight": mid, f"{stem}.lora_up.weight": up}
    made = with_lora(one_lora(tmp_path / "a.safetensors", keys), layer)
    sample = torch.randn(1, 64, 5, 5)
    convolved = torch.nn.functional.conv2d(
        torch.nn.functional.conv2d(torch.nn.functional.conv2d(sample, down), mid), up
    )
    torch.testing.assert_close(torch.nn.functional.conv2d(sample, made), convolved, atol=1e-3, rtol=1e-4)
    flat = {
        f"{KOHYA}.lora_down.weight": down,
        f"{KOHYA}.lora_mid.weight": mid[:, :, :1, :1].contiguous(),
        f"{KOHYA}.lora_up.weight": up,
    }
    wanted = up.flatten(1) @ mid[:, :, 0, 0] @ down.flatten(1)
    torch.testing.assert_close(with_lora(one_lora(tmp_path / "b.safetensors", flat)), wanted, atol=1e-4, rtol=1e-4)


FACTORS = {f"{KOHYA}.lora_down.weight": torch.ones(2, 64), f"{KOHYA}.lora_up.weight": torch.ones(64, 2)}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({f"{KOHYA}.dora_scale": torch.ones(1, 64)}, "holds DoRA"),
        ({f"base_model.model.{NAME}.lora_magnitude_vector.weight": torch.ones(64)}, "holds DoRA"),
        ({"lora_unet_conv_in.hada_w1_a": torch.ones(2, 2)}, "holds LoHa, .* in 1 of 3 weights: give a plain LoRA"),
        ({"lora_unet_conv_in.lokr_w1": torch.ones(2, 2)}, "holds LoKr"),
        ({"lora_unet_conv_in.oft_blocks": torch.ones(2, 2)}, "OFT"),
        ({"lora_unet_conv_in.diff": torch.ones(2, 2)}, "whole weights"),
        ({"unet.conv_in.lora_B.bias": torch.ones(2)}, "biases"),
        ({"surprise": torch.ones(2)}, "not known here .surprise."),
        ({"lora_te2_text_model_x.lora_down.weight": torch.ones(2, 2)}, "a model of another kind"),
        ({"transformer.blocks.0.lora_A.weight": torch.ones(2, 2)}, "a model of another kind"),
        ({f"unet.{NAME}.lora_A.weight": torch.ones(2, 64)}, "two weights for one thing"),
        ({"lora_unet_conv_in.lora_down.weight": torch.ones(2, 2)}, "no pair of factors for conv_in"),
        ({"lora_unet_double_blocks_0_a.lora_down.weight": torch.ones(2, 2),
          "lora_unet_double_blocks_0_a.lora_up.weight": torch.ones(2, 2)}, "parts for 1 layers that this world lacks"),
    ],
)  # fmt: skip
def test_what_a_lora_cannot_be_applied_for_is_named(more: dict[str, torch.Tensor], words: str, tmp_path: Path) -> None:
    """Beside a layer that could be: nothing is dropped in silence."""
    with pytest.raises((WorldMismatch, WorldDamaged), match=words) as error:
        with_lora(one_lora(tmp_path / "a.safetensors", FACTORS | more))
    assert "\n" not in str(error.value)


def test_a_dora_by_its_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorldMismatch, match="is a DoRA"):
        with_lora(one_lora(tmp_path / "a.safetensors", FACTORS, lora_adapter_metadata={"use_dora": True}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 3e38])
def test_a_lora_of_numbers_that_are_none_is_refused(value: float, tmp_path: Path) -> None:
    with pytest.raises(WorldDamaged, match="not finite"):
        with_lora(one_lora(tmp_path / "a.safetensors", {key: value * factor for key, factor in FACTORS.items()}))


def test_a_scout_with_a_lora_leaves_the_world_as_it_was(tmp_path: Path) -> None:
    stem = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    parts = {f"{stem}.lora_down.weight": torch.randn(2, 64), f"{stem}.lora_up.weight": torch.randn(64, 2)}
    save_file(parts, tmp_path / "a.safetensors")
    before = {key: value.clone() for key, value in world().denoiser.state_dict().items()}
    decoder = scout_decoder(world(), lora=tmp_path / "a.safetensors", batch=1, steps=2)
    assert re.fullmatch(r"lora@[0-9a-f]{16}/tiny", decoder.profile.variant)
    assert (decoder.profile.world, decoder.profile.sampler) == (world().digest, "lcm")
    assert decoder(latents(1), PROMPT).isfinite().all()
    assert all(torch.equal(value, before[key]) for key, value in world().denoiser.state_dict().items())


def test_a_scout_with_a_lora_runs_on_the_lcm_schedule(tmp_path: Path) -> None:
    """A LoRA that adds nothing: the pictures are those of the same world taken for an LCM."""
    stem = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    parts = {f"{stem}.lora_down.weight": torch.randn(2, 64), f"{stem}.lora_up.weight": torch.zeros(64, 2)}
    save_file(parts, tmp_path / "a.safetensors")
    plain = world("plain")
    decoder = scout_decoder(plain, lora=tmp_path / "a.safetensors", batch=2, steps=3)
    assert isinstance(decoder.scheduler, LCMScheduler)
    lcm_itself = scout_decoder(replace(plain, few_step="lcm"), batch=2, steps=3)
    assert torch.equal(decoder(latents(2), PROMPT), lcm_itself(latents(2), PROMPT))


def test_a_scout_of_a_plain_checkpoint_is_the_faithful_decoder_in_few_steps() -> None:
    """Nothing was made for a few steps: sampled as one that was it would be mush."""
    plain = world("plain")
    assert not plain.has_few_step
    decoder = scout_decoder(plain, batch=2)
    assert (decoder.settings.steps, decoder.settings.guidance) == (8, plain.card.defaults.guidance)
    assert (decoder.profile.variant, decoder.profile.sampler) == ("guided/full", "ddim")
    assert torch.equal(decoder(latents(2), PROMPT), faithful_decoder(plain, steps=8, batch=2)(latents(2), PROMPT))


@pytest.mark.parametrize(
    ("part", "config", "few_step"),
    [
        ("unet", {"time_cond_proj_dim": 32}, "lcm"),
        ("scheduler", {"_class_name": "LCMScheduler"}, "lcm"),
        ("scheduler", {"_class_name": "EulerDiscreteScheduler"}, ""),
    ],
)
def test_a_checkpoint_that_is_a_few_step_model_says_so(
    part: str, config: dict[str, object], few_step: str, tmp_path: Path
) -> None:
    made = shutil.copytree(tiny_world.folder("plain"), tmp_path / "world")
    file = made / part / ("config.json" if part == "unet" else "scheduler_config.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    assert worlds.find.at(made, "x", "x").facts.few_step == few_step
    (made / "card.toml").write_text('few_step = "lcm"\n')  # what a file cannot tell, its card may
    assert worlds.find.at(made, "x", "x").facts.few_step == "lcm"


def test_a_tiny_vae_of_ones_own() -> None:
    decoder = scout_decoder(world(), tiny_vae=tiny_world.folder() / "tiny_vae", batch=2, steps=2)
    assert torch.equal(decoder(latents(2), PROMPT), scout_decoder(world(), batch=2, steps=2)(latents(2), PROMPT))
