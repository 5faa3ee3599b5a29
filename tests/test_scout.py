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
from latentworld.errors import UnsafeWeights, WorldDamaged, WorldMismatch, WorldMissing

pytestmark = pytest.mark.usefixtures("own_cache")


def test_the_scout_is_the_student_with_the_tiny_vae() -> None:
    decoder = scout_decoder(world(), steps=2, batch=2)
    assert (decoder.profile.kind, decoder.profile.variant, decoder.profile.sampler) == ("scout", "student/tiny", "ddim")
    assert decoder.profile.guidance == 1.0
    pipe = StableDiffusionPipeline(
        vae=world().tiny_vae, unet=world().student.denoiser, text_encoder=world().text.encoder,  # type: ignore[union-attr]
        tokenizer=world().text.tokenizer, scheduler=SAMPLERS["ddim"].library(world().schedule),
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


def test_the_noise_of_nothing_is_nothing_and_its_signs_are_of_the_step() -> None:
    assert not noise_of(torch.zeros(1, 4, 8, 8), 1).any()
    ones = [noise_of(torch.ones(1, 4, 8, 8), step) for step in (1, 2)]
    assert {float(value) for noise in ones for value in noise.unique()} == {-1.0, 1.0}
    assert not torch.equal(*ones)


def test_a_step_draws_nothing_from_what_others_draw_from() -> None:
    scheduler = SAMPLERS["lcm"].scheduler(world("plain").schedule)
    scheduler.set_timesteps(2)
    before = torch.random.get_rng_state()
    lcm(scheduler, latents(1, seed=9), scheduler.timesteps[0], latents(1), latents(1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_samplers_say_what_they_do() -> None:
    """Whether a denoising can be shown, and whether noise is added: what a strange part's checks go by."""
    said = {name: (sampler.moments, sampler.renoises, dict(sampler.options)) for name, sampler in SAMPLERS.items()}
    assert said["ddim"] == (True, False, {})
    assert said["lcm"] == (False, True, {})
    schedule = world("plain").schedule
    made = replace(SAMPLERS["ddim"], options={"clip_sample": True}).scheduler({**schedule, "clip_sample": False})
    assert made.config.clip_sample  # its own options go before the world's


def test_a_lora_of_a_convolution_is_fused_and_what_is_for_the_text_encoder_is_not_the_unets(tmp_path: Path) -> None:
    with tiny_world.seeded(4):
        unet = tiny_world.unet()
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    down, up = torch.randn(2, unet.conv_in.weight[0].numel()), torch.randn(len(unet.conv_in.weight), 2)
    text = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
    older = "text_encoder.text_model.encoder.layers.0.self_attn.k_proj"
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
    from standins.original_keys import ldm_unet

    unet = tiny_world.unet()
    theirs = ldm_unet({name: value for name, value in unet.named_parameters() if name.endswith(".weight")})
    named = lora_names.layers(name for name, _ in unet.named_parameters())
    for (name, _), key in zip(
        ((name, value) for name, value in unet.named_parameters() if name.endswith(".weight")), theirs, strict=True
    ):
        stem = key.removeprefix("model.diffusion_model.").removesuffix(".weight").replace(".", "_")
        assert named[stem] == (name,)


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
        ({f"{KOHYA}.dora_scale": torch.ones(2, 32)}, "does not fit mid_block"),
        ({f"base_model.model.{NAME}.lora_magnitude_vector.weight": torch.ones(63)}, "does not fit mid_block"),
        ({f"{KOHYA}.alpha": torch.ones(2)}, "alpha is no single number"),
        ({"lora_unet_conv_in.hada_w1_a": torch.ones(2, 2)}, "no whole set of factors for conv_in"),
        ({"lora_unet_conv_in.lokr_w1": torch.ones(2, 2), f"{KOHYA}.lokr_w2": torch.ones(2, 2)}, "no whole set"),
        ({f"{KOHYA}.lokr_t1": torch.ones(2, 2)}, "not known here"),
        ({"lora_unet_conv_in.oft_blocks": torch.ones(2, 2)}, "OFT.*in 1 of 3 weights: give a LoRA, LoHa or LoKr"),
        ({"lora_unet_conv_in.diff": torch.ones(2, 2)}, "whole weights"),
        ({"unet.conv_in.lora_B.bias": torch.ones(2)}, "biases"),
        ({"surprise": torch.ones(2)}, "not known here .surprise."),
        ({"lora_te3_text_model_x.lora_down.weight": torch.ones(2, 2)}, "changes T5"),
        ({"transformer.blocks.0.lora_A.weight": torch.ones(2, 2),
          "transformer.blocks.0.lora_B.weight": torch.ones(2, 2)}, "parts for 1 layers that this world lacks"),
        ({f"unet.{NAME}.lora_A.weight": torch.ones(2, 64)}, "two weights for one thing"),
        ({"lora_unet_conv_in.lora_down.weight": torch.ones(2, 2)}, "no whole set of factors for conv_in"),
        ({"lora_unet_double_blocks_0_a.lora_down.weight": torch.ones(2, 2),
          "lora_unet_double_blocks_0_a.lora_up.weight": torch.ones(2, 2)}, "parts for 1 layers that this world lacks"),
    ],
)  # fmt: skip
def test_what_a_lora_cannot_be_applied_for_is_named(more: dict[str, torch.Tensor], words: str, tmp_path: Path) -> None:
    """Beside a layer that could be: nothing is dropped in silence."""
    with pytest.raises((WorldMismatch, WorldDamaged), match=words) as error:
        with_lora(one_lora(tmp_path / "a.safetensors", FACTORS | more))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "words"), [({"use_dora": True}, "lacks magnitudes"), ({"peft_type": "LOKR"}, "a LOKR of PEFT")]
)
def test_settings_that_the_weights_do_not_bear_out_are_refused(
    settings: dict[str, object], words: str, tmp_path: Path
) -> None:
    with pytest.raises((WorldDamaged, WorldMismatch), match=words):
        with_lora(one_lora(tmp_path / "a.safetensors", FACTORS, lora_adapter_metadata=settings))


CONV = "mid_block.resnets.0.conv1"  # 64 to 64, 3 x 3
KERNEL = "lora_unet_" + CONV.replace(".", "_")


def test_loha_and_lokr_are_the_products_that_they_are_called_after(tmp_path: Path) -> None:
    a, b, c, d = torch.randn(64, 2), torch.randn(2, 64), torch.randn(64, 2), torch.randn(2, 64)
    loha = {"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d, "alpha": torch.tensor(1.0)}
    torch.testing.assert_close(changed_by(tmp_path, NAME, loha), (a @ b) * (c @ d) / 2)
    first, second = torch.randn(4, 8), torch.randn(16, 8)
    lokr = {"lokr_w1": first, "lokr_w2": second, "alpha": torch.tensor(7.0)}  # whole ones are not scaled
    wanted = torch.stack([first[i // 16, j // 8] * second[i % 16, j % 8] for i in range(64) for j in range(64)])
    torch.testing.assert_close(changed_by(tmp_path, NAME, lokr), wanted.view(64, 64))
    a, b, c, d = torch.randn(4, 2), torch.randn(2, 8), torch.randn(16, 2), torch.randn(2, 8)
    lokr = {"lokr_w1_a": a, "lokr_w1_b": b, "lokr_w2_a": c, "lokr_w2_b": d, "alpha": torch.tensor(1.0)}
    torch.testing.assert_close(changed_by(tmp_path, NAME, lokr), torch.kron(a @ b, c @ d) / 2)


def of_kernel(t: torch.Tensor, up: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """Pairs of rows of up `[r, out]` and down `[r, in]`, each with its kernel in t `[r, r, k, k]`, summed."""
    pairs = [t[i, j] * torch.outer(up[i], down[j])[..., None, None] for i in range(len(up)) for j in range(len(down))]
    return torch.stack(pairs).sum(0)


def test_loha_and_lokr_of_a_convolution_have_kernels(tmp_path: Path) -> None:
    t1, t2, a, b, c, d = (torch.randn(2, 2, 3, 3), torch.randn(2, 2, 3, 3), *(torch.randn(2, 64) for _ in range(4)))
    loha = {"hada_t1": t1, "hada_w1_a": a, "hada_w1_b": b, "hada_t2": t2, "hada_w2_a": c, "hada_w2_b": d}
    wanted = of_kernel(t1, a, b) * of_kernel(t2, c, d)
    torch.testing.assert_close(changed_by(tmp_path, CONV, loha), wanted, rtol=1e-4, atol=1e-4)
    a, b, c, d = torch.randn(64, 2), torch.randn(2, 576), torch.randn(64, 2), torch.randn(2, 576)
    loha = {"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d}
    wanted = ((a @ b) * (c @ d)).view(64, 64, 3, 3)
    torch.testing.assert_close(changed_by(tmp_path, CONV, loha), wanted, rtol=1e-4, atol=1e-4)
    first, a, b = torch.randn(4, 8), torch.randn(2, 16), torch.randn(2, 8)
    second = of_kernel(t1, a, b)
    wanted = torch.kron(first[..., None, None], second)
    lokr = {"lokr_w1": first, "lokr_t2": t1, "lokr_w2_a": a, "lokr_w2_b": b}
    for factors in (lokr, {"lokr_w1": first, "lokr_w2": second}):
        torch.testing.assert_close(changed_by(tmp_path, CONV, factors), wanted, rtol=1e-4, atol=1e-4)


def changed_by(folder: Path, layer: str, factors: dict[str, torch.Tensor]) -> torch.Tensor:
    """By how much factors change a layer's weight."""
    stem = "lora_unet_" + layer.replace(".", "_")
    named = {f"{stem}.{role}": factor.contiguous() for role, factor in factors.items()}
    return with_lora(one_lora(folder / "a.safetensors", named), layer)


@pytest.mark.parametrize("layer", [NAME, CONV])
@pytest.mark.parametrize(
    ("role", "shape", "dims"),
    [
        ("dora_scale", (64, 1), (1, 2, 3)), ("dora_scale", (64,), (1, 2, 3)), ("dora_scale", (1, 64), (0, 2, 3)),
        ("lora_magnitude_vector", (64,), (1, 2, 3)), ("lora_magnitude_vector.default.weight", (1, 64), (1, 2, 3)),
    ],
)  # fmt: skip
def test_a_dora_has_the_directions_of_its_sum_and_lengths_of_its_own(
    role: str, shape: tuple[int, ...], dims: tuple[int, ...], layer: str, tmp_path: Path
) -> None:
    with tiny_world.seeded(4):
        before = tiny_world.unet().get_submodule(layer).weight.detach().clone()
    is_kernel, dims = before.ndim == 4, tuple(dim for dim in dims if dim < before.ndim)
    lengths = torch.rand(64) + 0.5
    down, up = torch.randn(2, 64, *before.shape[2:]), torch.randn(64, 2, *(1,) * (before.ndim - 2))
    shape = (*shape, *(1,) * (2 if is_kernel and len(shape) == 2 else 0))
    factors = {"lora_down.weight": down, "lora_up.weight": up, "alpha": torch.tensor(1.0), role: lengths.view(shape)}
    made = before + changed_by(tmp_path, layer, factors)
    summed = before + 0.5 * (up.flatten(1) @ down.flatten(1)).view_as(before)
    torch.testing.assert_close(torch.linalg.vector_norm(made, dim=dims), lengths, rtol=1e-4, atol=1e-5)
    found = torch.linalg.vector_norm(summed, dim=dims, keepdim=True)
    wanted = summed * (lengths.view(found.shape) / found)
    torch.testing.assert_close(made, wanted, rtol=1e-3, atol=1e-5)


TEXT_LAYER = "text_model.encoder.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("down", "up"),
    [
        (
            f"lora_te_{TEXT_LAYER.replace('.', '_')}.lora_down.weight",
            f"lora_te_{TEXT_LAYER.replace('.', '_')}.lora_up.weight",
        ),
        (
            f"lora_te1_{TEXT_LAYER.replace('.', '_')}.lora_down.weight",
            f"lora_te1_{TEXT_LAYER.replace('.', '_')}.lora_up.weight",
        ),
        (f"text_encoder.{TEXT_LAYER}.lora_A.weight", f"text_encoder.{TEXT_LAYER}.lora_B.weight"),
        (
            f"text_encoder.{TEXT_LAYER}.lora_linear_layer.down.weight",
            f"text_encoder.{TEXT_LAYER}.lora_linear_layer.up.weight",
        ),
        (f"text_encoder.{TEXT_LAYER[:-6]}to_q_lora.down.weight", f"text_encoder.{TEXT_LAYER[:-6]}to_q_lora.up.weight"),
        (
            f"base_model.model.{TEXT_LAYER}.lora_A.default.weight",
            f"base_model.model.{TEXT_LAYER}.lora_B.default.weight",
        ),
    ],
)
def test_a_loras_part_for_the_text_encoder_is_the_scouts_own(down: str, up: str, tmp_path: Path) -> None:
    a, b = torch.randn(2, 32), torch.randn(32, 2)
    stem = down.rpartition(".lora")[0] if "lora_down" in down else ""
    alpha = {f"{stem}.alpha": torch.tensor(4.0)} if stem else {}
    lora = one_lora(tmp_path / "a.safetensors", FACTORS | {down: a, up: b} | alpha)
    plain = world("plain")
    before = {key: value.clone() for key, value in plain.text.encoder.state_dict().items()}
    decoder = scout_decoder(plain, lora=lora, batch=1, steps=2)
    changed = {key: value.clone() for key, value in before.items()}
    name = next(key for key in changed if key.endswith("layers.0.self_attn.q_proj.weight"))
    changed[name] += (2.0 if alpha else 1.0) * b @ a
    own = plain.text.changed(lambda network: network)
    own.encoder.load_state_dict(changed)
    assert torch.allclose(decoder.texts.text("a cat")[0], own("a cat")[0], atol=1e-5)
    assert not torch.allclose(decoder.texts.text("a cat")[0], plain.text("a cat")[0], atol=1e-3)
    assert all(torch.equal(value, before[key]) for key, value in plain.text.encoder.state_dict().items())
    faithful = decoder.variant(replace(decoder.settings, kind="faithful", lora=None, guidance=1.0))
    assert torch.equal(faithful.texts.text("a cat")[0], plain.text("a cat")[0])
    assert decoder.variant(replace(decoder.settings, steps=3)).texts is decoder.texts


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 3e38])
def test_a_lora_of_numbers_that_are_none_is_refused(value: float, tmp_path: Path) -> None:
    with pytest.raises(WorldDamaged, match="not finite"):
        with_lora(one_lora(tmp_path / "a.safetensors", {key: value * factor for key, factor in FACTORS.items()}))


def test_a_lora_of_rank_nothing_or_of_an_alpha_beyond_numbers_is_refused(tmp_path: Path) -> None:
    none = {
        key: torch.zeros(tuple(0 if size == 2 else size for size in factor.shape)) for key, factor in FACTORS.items()
    }
    with pytest.raises(WorldMismatch, match="does not fit"):
        with_lora(one_lora(tmp_path / "none.safetensors", none))
    for alpha in (10**400, float("nan"), float("inf")):
        settings = {"lora_adapter_metadata": {"lora_alpha": alpha}}
        with pytest.raises(WorldDamaged, match="where a number is wanted"):
            with_lora(one_lora(tmp_path / "alpha.safetensors", dict(FACTORS), **settings))


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
