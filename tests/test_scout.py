"""The scout: the student with the tiny autoencoder, its scheduler's step, its noise, LoRAs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from diffusers import LCMScheduler, StableDiffusionPipeline
from safetensors.torch import save_file
from standins import tiny_world
from standins.decoders import PROMPT, latents, world

from latentworld.decoding import scout_decoder
from latentworld.decoding.lora import fused
from latentworld.decoding.samplers import lcm, noise_of
from latentworld.errors import UnsafeWeights, WorldDamaged, WorldMismatch, WorldMissing
from latentworld.worlds.families.schedules import variance_preserving

pytestmark = pytest.mark.usefixtures("own_cache")


def test_the_scout_is_the_student_with_the_tiny_vae() -> None:
    decoder = scout_decoder(world(), steps=2, batch=2)
    assert (decoder.profile.kind, decoder.profile.variant, decoder.profile.sampler) == ("scout", "student/tiny", "ddim")
    assert decoder.profile.guidance == 1.0
    pipe = StableDiffusionPipeline(
        vae=world().tiny_vae, unet=world().student.denoiser, text_encoder=world().text.encoder,  # type: ignore[union-attr]
        tokenizer=world().text.tokenizer, scheduler=type(world().scheduler).from_config(world().scheduler.config),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    asked = {"prompt": PROMPT.positive, "guidance_scale": 1.0, "num_inference_steps": 2, "output_type": "pt"}
    theirs = pipe(**asked, latents=latents(2), num_images_per_prompt=2).images
    assert (decoder(latents(2), PROMPT) - theirs).abs().max() < 0.5 / 255


def test_one_step_is_the_lcm_schedulers() -> None:
    """With one step nothing is re-noised, so our step and the library's agree exactly."""
    scheduler = variance_preserving(world("plain").scheduler.config, "lcm")
    assert isinstance(scheduler, LCMScheduler)
    scheduler.set_timesteps(1)
    time, z, out = scheduler.timesteps[0], latents(2), latents(2, seed=9)
    ours = lcm(scheduler, out, time, z, z)
    scheduler.set_timesteps(1)
    assert torch.equal(ours, scheduler.step(out, time, z, return_dict=False)[0])


def test_more_steps_renoise_with_the_starts_own_noise() -> None:
    """Between steps: sqrt(abar) x_0 + sqrt(1 - abar) noise, at the level of the next; the last one is x_0."""
    ours, theirs = (variance_preserving(world("plain").scheduler.config, "lcm") for _ in range(2))
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


def test_a_lora_of_no_numbers_is_refused(tmp_path: Path) -> None:
    unet = tiny_world.unet()
    parts = {"lora_unet_conv_in.lora_down.weight": torch.full((2, unet.conv_in.weight[0].numel()), torch.nan),
             "lora_unet_conv_in.lora_up.weight": torch.ones(len(unet.conv_in.weight), 2)}  # fmt: skip
    save_file(parts, tmp_path / "a.safetensors")
    before = unet.conv_in.weight.clone()
    with pytest.raises(WorldDamaged, match="NaN or infinite numbers for conv_in"):
        fused(unet, tmp_path / "a.safetensors")
    assert torch.equal(unet.conv_in.weight, before)


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
    with pytest.raises(WorldMismatch, match="which this world lacks"):
        fused(unet, tmp_path / "b.safetensors")


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
    """A LoRA that adds nothing: the pictures are those of a world without a student, which is taken for an LCM."""
    stem = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    parts = {f"{stem}.lora_down.weight": torch.randn(2, 64), f"{stem}.lora_up.weight": torch.zeros(64, 2)}
    save_file(parts, tmp_path / "a.safetensors")
    plain = world("plain")
    decoder = scout_decoder(plain, lora=tmp_path / "a.safetensors", batch=2, steps=3)
    assert isinstance(decoder.scheduler, LCMScheduler)
    assert torch.equal(decoder(latents(2), PROMPT), scout_decoder(plain, batch=2, steps=3)(latents(2), PROMPT))


def test_a_tiny_vae_of_ones_own() -> None:
    decoder = scout_decoder(world(), tiny_vae=tiny_world.folder() / "tiny_vae", batch=2, steps=2)
    assert torch.equal(decoder(latents(2), PROMPT), scout_decoder(world(), batch=2, steps=2)(latents(2), PROMPT))
