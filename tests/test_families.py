"""Families: a model is of one, or is refused by name when it is looked at. Folders and headers are made here."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from plugins import entries, module, package
from standins import tiny_world

from latentworld import worlds
from latentworld.decoding import faithful_decoder
from latentworld.decoding.samplers import SAMPLERS
from latentworld.errors import Notice, UnknownFamily, WorldDamaged, WorldError, WorldMismatch, WorldMissing
from latentworld.prompts import Prompt
from latentworld.registry import Registry
from latentworld.worlds import families
from latentworld.worlds.families import Family, plain_unet, sd1, strangers

SD = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "text_encoder": "CLIPTextModel",
      "tokenizer": "CLIPTokenizer", "scheduler": "PNDMScheduler", "safety_checker": None}  # fmt: skip
PLAIN = {"in_channels": 4, "out_channels": 4, "cross_attention_dim": 768, "block_out_channels": [320, 640, 1280, 1280]}
WORDS = {"hidden_size": 768}


def folder(
    path: Path, pipeline: str, components: dict[str, str | None], unet: dict[str, Any] | None = None, **configs: Any
) -> Path:
    """A pipeline's folder with an index and configs, and not one weight."""
    path.mkdir(exist_ok=True)
    index: dict[str, Any] = {"_class_name": pipeline, "_diffusers_version": "0.42.0", "requires_safety_checker": False}
    for name, kind in components.items():
        index[name] = [None if kind is None else "diffusers", kind]
    (path / "model_index.json").write_text(json.dumps(index))
    for name, config in {"unet": unet, **configs}.items():
        if config is not None:
            (path / name).mkdir(exist_ok=True)
            file = "scheduler_config.json" if name == "scheduler" else "config.json"
            (path / name / file).write_text(json.dumps(config))
    return path


def header(path: Path, shapes: dict[str, tuple[int, ...]], **metadata: str) -> Path:
    """A .safetensors file of nothing but zeros, which take no room."""
    content: dict[str, Any] = {}
    end = 0
    for key, shape in shapes.items():
        begin, end = end, end + 2 * math.prod(shape)
        content[key] = {"dtype": "F16", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(content | ({"__metadata__": metadata} if metadata else {})).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(path, 8 + len(text) + end)
    return path


def original(channels: int = 4, width: int = 768, **more: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Shapes of a whole checkpoint in the original layout, as far as it is looked at."""
    unet, text = "model.diffusion_model.", "cond_stage_model.transformer.text_model."
    text = "cond_stage_model.model." if width == 1024 else text
    block = f"{unet}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    return {
        f"{unet}input_blocks.0.0.weight": (320, channels, 3, 3), f"{unet}out.2.weight": (4, 320, 3, 3),
        f"{unet}input_blocks.1.0.out_layers.3.weight": (320, 320, 3, 3), f"{unet}input_blocks.1.1.norm.weight": (320,),
        f"{unet}input_blocks.1.1.proj_in.weight": (320, 320), block: (320, width),
        "first_stage_model.post_quant_conv.weight": (4, 4, 1, 1), f"{text}anything.weight": (768,), **more,
    }  # fmt: skip


# --- members -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pipeline", "unet", "words", "family", "size"),
    [
        ("StableDiffusionPipeline", PLAIN | {"sample_size": 64}, WORDS, "sd1", 512),
        ("StableDiffusionImg2ImgPipeline", PLAIN | {"sample_size": 64}, WORDS, "sd1", 512),  # the same networks
        ("LatentConsistencyModelPipeline", PLAIN | {"time_cond_proj_dim": 256}, WORDS, "sd1", 512),
        (
            "StableDiffusionPipeline",
            PLAIN | {"cross_attention_dim": 1024, "sample_size": 96},
            {"hidden_size": 1024},
            "sd2",
            768,
        ),
    ],
)
def test_a_folder_is_known_by_its_configs(
    pipeline: str, unet: dict[str, Any], words: dict[str, Any], family: str, size: int, tmp_path: Path
) -> None:
    made = folder(tmp_path, pipeline, SD, unet, vae={}, text_encoder=words, scheduler={}, tokenizer={})
    found = worlds.find.at(made, "x", "x")
    assert (found.family.name, found.card.size, found.facts.prediction) == (family, size, "epsilon")
    assert found.facts.latent == sd1.LATENT


def test_the_embedded_world_is_of_stable_diffusion_1() -> None:
    seen = worlds.inspect("embedded")
    assert (seen.family.name, seen.prediction, seen.size) == ("sd1", "v_prediction", 128)
    assert (seen.latent.shape(128, 128), seen.latent.multiple) == ((4, 16, 16), 32)
    told = json.loads((Path(worlds.__file__).with_name("embedded") / "vae" / "config.json").read_text())
    assert seen.latent.scale == told["scaling_factor"] != sd1.LATENT.scale
    assert seen.latent.colours != sd1.COLOURS  # its VAE is its own


def test_a_file_is_known_by_its_header(tmp_path: Path) -> None:
    first = worlds.find.at(header(tmp_path / "a.safetensors", original()), "a", "a")
    second = worlds.find.at(header(tmp_path / "b.safetensors", original(width=1024)), "b", "b")
    assert (first.family.name, first.card.size, first.card.prediction) == ("sd1", 512, "epsilon")
    assert (second.family.name, second.card.size, second.card.prediction) == ("sd2", 768, "v_prediction")


# --- strangers ---------------------------------------------------------------------------------------------------

XL = SD | {"text_encoder_2": "CLIPTextModelWithProjection", "tokenizer_2": "CLIPTokenizer"}
FLOW = {"transformer": "X", "vae": "AutoencoderKL", "text_encoder": "T5EncoderModel", "tokenizer": "T5Tokenizer",
        "scheduler": "FlowMatchEulerDiscreteScheduler"}  # fmt: skip
TIME = PLAIN | {"addition_embed_type": "text_time", "cross_attention_dim": 2048}
FOLDERS: list[tuple[str, str, dict[str, str | None], dict[str, Any] | None]] = [
    ("the SDXL refiner", "StableDiffusionXLImg2ImgPipeline", XL | {"text_encoder": None, "tokenizer": None}, TIME),
    ("SDXL for inpainting, with 9 input channels", "StableDiffusionXLInpaintPipeline", XL, TIME | {"in_channels": 9}),
    ("an inpainting model with 9 input channels", "StableDiffusionInpaintPipeline", SD, PLAIN | {"in_channels": 9}),
    ("a depth-to-image model with 5 input channels", "StableDiffusionDepth2ImgPipeline",
     SD | {"depth_estimator": "DPTForDepthEstimation"}, PLAIN | {"in_channels": 5}),
    ("an instruct-pix2pix model with 8 input channels", "StableDiffusionInstructPix2PixPipeline", SD,
     PLAIN | {"in_channels": 8}),
    ("the x4 upscaler with 7 input channels", "StableDiffusionUpscalePipeline",
     SD | {"low_res_scheduler": "DDPMScheduler"}, PLAIN | {"in_channels": 7, "num_class_embeds": 1000}),
    ("an upscaler of latents", "StableDiffusionLatentUpscalePipeline", SD, PLAIN | {"in_channels": 8}),
    ("Marigold", "MarigoldDepthPipeline", SD, PLAIN | {"in_channels": 8}),
    ("an unCLIP model", "StableUnCLIPPipeline", SD | {"prior": "PriorTransformer"},
     PLAIN | {"class_embed_type": "projection"}),
    ("an unCLIP model", "StableUnCLIPImg2ImgPipeline", SD | {"image_encoder": "CLIPVisionModelWithProjection"},
     PLAIN | {"class_embed_type": "projection"}),
    ("a model of image variations", "StableDiffusionImageVariationPipeline",
     SD | {"text_encoder": None, "tokenizer": None, "image_encoder": "CLIPVisionModelWithProjection"}, PLAIN),
    ("a UNet that wants class labels", "StableDiffusionPipeline", SD, PLAIN | {"num_class_embeds": 10}),
    ("a UNet with 16 input and 16 output channels", "StableDiffusionPipeline", SD,
     PLAIN | {"in_channels": 16, "out_channels": 16}),
    ("a UNet with 4 input and 8 output channels", "StableDiffusionPipeline", SD, PLAIN | {"out_channels": 8}),
    ("a UNet that is given more than noise, time and a prompt", "StableDiffusionPipeline", SD,
     PLAIN | {"encoder_hid_dim": 4096}),
    ("a Stable Diffusion model with a ControlNet", "StableDiffusionControlNetPipeline",
     SD | {"controlnet": "ControlNetModel"}, PLAIN),
    ("AltDiffusion", "AltDiffusionPipeline", SD | {"text_encoder": "RobertaSeriesModelWithTransformation"}, PLAIN),
    ("GLIGEN", "StableDiffusionGLIGENPipeline", SD | {"image_project": "X"}, PLAIN),
    ("Kolors", "KolorsPipeline", SD | {"text_encoder": "ChatGLMModel"}, TIME | {"encoder_hid_dim": 4096}),
    ("Stable Diffusion 3 with", "StableDiffusion3InpaintPipeline", FLOW, None),
    ("FLUX.1", "FluxFillPipeline", FLOW, None),
    ("FLUX.2 dev", "Flux2Pipeline", FLOW | {"transformer": "Flux2Transformer2DModel"}, None),
    ("Chroma", "ChromaPipeline", FLOW, None),
    ("Z-Image with a picture", "ZImageImg2ImgPipeline", FLOW | {"transformer": "ZImageTransformer2DModel"}, None),
    ("SANA", "SanaPipeline", FLOW, None),
    ("PixArt", "PixArtSigmaPipeline", FLOW, None),
    ("AuraFlow", "AuraFlowPipeline", FLOW, None),
    ("HiDream", "HiDreamImagePipeline", FLOW, None),
    ("Qwen-Image", "QwenImageEditPipeline", FLOW, None),
    ("Lumina", "Lumina2Pipeline", FLOW, None),
    ("Hunyuan-DiT", "HunyuanDiTPipeline", FLOW, None),
    ("Kandinsky", "KandinskyV22Pipeline", {"unet": "UNet2DConditionModel", "movq": "VQModel"}, PLAIN),
    ("Stable Cascade", "StableCascadeDecoderPipeline", {"decoder": "X"}, None),
    ("DeepFloyd IF", "IFPipeline", {"unet": "UNet2DConditionModel"}, PLAIN | {"in_channels": 3, "out_channels": 6}),
    ("Stable Video Diffusion, a video model", "StableVideoDiffusionPipeline",
     {"unet": "UNetSpatioTemporalConditionModel"}, PLAIN | {"in_channels": 8}),
    ("Wan, a video model", "WanPipeline", FLOW, None),
    ("LTX, a video model", "LTXImageToVideoPipeline", FLOW, None),
    ("Hunyuan Video, a video model", "HunyuanVideoPipeline", FLOW, None),
    ("CogVideoX, a video model", "CogVideoXPipeline", FLOW, None),
    ("Mochi, a video model", "MochiPipeline", FLOW, None),
    ("Cosmos, a video model", "CosmosTextToWorldPipeline", FLOW, None),
    ("a video model (TextToVideoSDPipeline)", "TextToVideoSDPipeline", SD | {"unet": "UNet3DConditionModel"}, PLAIN),
    ("a video model (SanaVideoPipeline)", "SanaVideoPipeline", FLOW, None),
    ("AnimateDiff", "AnimateDiffPipeline", SD | {"motion_adapter": "MotionAdapter"}, PLAIN),
    ("a model of sounds", "StableAudioPipeline", FLOW, None),
    ("a model of pixels or latents without a prompt", "DDPMPipeline", {"unet": "UNet2DModel"}, {"in_channels": 3}),
    ("a model of pixels or latents without a prompt", "StableDiffusionPipeline", SD,  # whatever its index says
     PLAIN | {"_class_name": "UNet2DModel"}),
    ("a BrandNewPipeline, of no family", "BrandNewPipeline", FLOW, None),
    ("a StableDiffusionPipeline without text_encoder and tokenizer", "StableDiffusionPipeline",
     SD | {"text_encoder": None, "tokenizer": None}, PLAIN),
]  # fmt: skip


@pytest.mark.parametrize(("what", "pipeline", "components", "unet"), FOLDERS, ids=[f"{r[1]}: {r[0]}" for r in FOLDERS])
def test_a_folder_of_another_kind_is_refused_by_name(
    what: str, pipeline: str, components: dict[str, str | None], unet: dict[str, Any] | None, tmp_path: Path
) -> None:
    made = folder(tmp_path, pipeline, components, unet)
    for look in (worlds.inspect, worlds.load):  # before any weight is read: there is none
        assert_refused(look, made, f"this is {what}")


UNET = "model.diffusion_model."
FILES: list[tuple[str, dict[str, tuple[int, ...]]]] = [
    ("an inpainting model with 9 input channels", original(9)),
    ("a depth-to-image model with 5 input channels", original(5, 1024)),
    ("an instruct-pix2pix model with 8 input channels", original(8)),
    ("the x4 upscaler with 7 input channels", original(7, 1024, **{UNET + "label_emb.weight": (1000, 1280)})),
    ("a UNet that wants class labels", original(**{UNET + "label_emb.weight": (10, 1280)})),
    ("an unCLIP model", original(width=1024, **{UNET + "label_emb.0.0.weight": (1280, 2048)})),
    ("the SDXL refiner", {UNET + "input_blocks.0.0.weight": (384, 4, 3, 3),
                          "conditioner.embedders.0.model.text_projection": (1280, 1280)}),
    ("SDXL (two text encoders)", {UNET + "input_blocks.0.0.weight": (320, 4, 3, 3),
                                  UNET + "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, 2048)}),
    ("Stable Diffusion 3", {UNET + "joint_blocks.0.context_block.adaLN_modulation.1.bias": (9216,)}),
    ("FLUX.1", {"double_blocks.0.img_attn.norm.key_norm.scale": (128,)}),
    ("FLUX.1", {UNET + "double_blocks.0.img_attn.norm.key_norm.scale": (128,)}),
    ("FLUX.2 in one file", {"double_blocks.0.img_attn.norm.key_norm.scale": (128,),
                "single_stream_modulation.lin.weight": (9216, 3072)}),
    ("Chroma", {"double_blocks.0.img_attn.norm.key_norm.scale": (128,),
                "distilled_guidance_layer.in_proj.bias": (5120,)}),
    ("Z-Image in one file", {UNET + "layers.0.adaLN_modulation.0.weight": (15360, 256),
                             UNET + "cap_embedder.0.weight": (2560,)}),
    ("Lumina", {"cap_embedder.0.weight": (2304,)}),
    ("SANA", {"attention_y_norm.weight": (2240,), "blocks.0.cross_attn.q_linear.weight": (2240, 2240)}),
    ("PixArt", {"blocks.0.cross_attn.q_linear.weight": (1152, 1152)}),
    ("AuraFlow", {"double_layers.0.attn.w1q.weight": (3072, 3072)}),
    ("HiDream", {"double_stream_blocks.0.block.adaLN_modulation.1.bias": (2560,)}),
    ("Qwen-Image", {"txt_norm.weight": (3584,)}),
    ("Stable Cascade", {"clip_txt_mapper.weight": (2048, 1280)}),
    ("Stable Video Diffusion", original(8, **{UNET + "input_blocks.1.1.time_stack.0.norm1.weight": (320,)})),
    ("Wan, a video model", {"head.modulation": (1, 2, 1536)}),
    ("LTX, a video model", {UNET + "patchify_proj.weight": (2048, 128)}),
    ("Hunyuan Video, a video model", {"txt_in.individual_token_refiner.blocks.0.adaLN_modulation.1.bias": (6144,)}),
    ("Mochi, a video model", {"blocks.0.attn.qkv_x.weight": (9216, 3072)}),
    ("Cosmos, a video model", {"net.x_embedder.proj.1.weight": (4096, 68)}),
    ("AnimateDiff", {"down_blocks.0.motion_modules.0.temporal_transformer.norm.bias": (320,)}),
    ("a LoRA", {"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": (4, 320)}),
    ("a LoRA", {"unet.down_blocks.0.attentions.0.to_q.lora_A.weight": (4, 320)}),
    ("a LoRA", {"transformer.single_blocks.0.attn.to_k.lora_B.default.weight": (4, 320)}),
    ("a LoRA", {"unet.down_blocks.0.attn1.processor.to_q_lora.down.weight": (4, 320)}),
    ("a LoRA", {"lora_unet_mid_block.hada_w1_a": (4, 320)}),
    ("an IP-Adapter", {"ip_adapter.1.to_k_ip.weight": (320, 768)}),
    ("a textual inversion", {"emb_params": (2, 768)}),
    ("a ControlNet", {"control_model.time_embed.0.weight": (1280, 320)}),
    ("a lone UNet", {"down_blocks.0.resnets.0.conv1.weight": (320, 320, 3, 3)}),
    ("a lone VAE", {"encoder.conv_in.weight": (128, 3, 3, 3)}),
    ("a model of text", {"text_model.embeddings.token_embedding.weight": (49408, 768)}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "shapes"), FILES, ids=[f"{what}, {list(keys)[-1]}" for what, keys in FILES])
def test_a_file_of_another_kind_is_refused_by_name(
    what: str, shapes: dict[str, tuple[int, ...]], tmp_path: Path
) -> None:
    made = header(tmp_path / "model.safetensors", shapes)
    for look in (worlds.inspect, worlds.load):
        assert_refused(look, made, f"this is {what}")


@pytest.mark.parametrize(
    ("what", "config"),
    [
        ("a ControlNet", {"_class_name": "ControlNetModel"}),
        ("a lone UNet", {"_class_name": "UNet2DConditionModel"}),
        ("a lone VAE", {"_class_name": "AutoencoderKL"}),
        ("FLUX.1", {"_class_name": "FluxTransformer2DModel"}),
        ("a model of text or of pictures' meaning", {"architectures": ["CLIPModel"], "model_type": "clip"}),
    ],
)
def test_a_folder_that_is_one_part_is_refused_by_name(what: str, config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert_refused(worlds.load, tmp_path, f"this is {what}")


def test_what_a_folder_holds_instead_is_said(tmp_path: Path) -> None:
    assert_refused(worlds.load, tmp_path, "holds no model in the diffusers layout", WorldMissing)
    header(tmp_path / "v1-5.safetensors", original())
    assert_refused(worlds.load, tmp_path, r"holds v1-5\.safetensors: give that file's path", WorldMissing)
    (tmp_path / "adapter_config.json").write_text("{}")
    assert_refused(worlds.load, tmp_path, "this is a LoRA.*world.loras")


def test_a_file_that_lacks_a_part_is_told_which(tmp_path: Path) -> None:
    whole, path = original(), tmp_path / "a.safetensors"
    without = {key: shape for key, shape in whole.items() if "first_stage" not in key}
    assert_refused(worlds.load, header(path, without), "has no VAE: name one as world.vae", WorldDamaged)
    without = {key: shape for key, shape in whole.items() if "cond_stage" not in key}
    assert_refused(worlds.load, header(path, without), "has no text encoder that is known here: give", WorldDamaged)
    assert_refused(
        worlds.load, header(path, {"a": (1,)}, **{"modelspec.architecture": "Qwen-9"}), r"it says it is Qwen-9"
    )


@pytest.mark.parametrize(
    ("unet", "configs", "words"),
    [
        ({}, {"vae": {"latent_channels": 16}}, "its VAE has 16 latent channels and its denoiser takes 4"),
        ({}, {"text_encoder": {"hidden_size": 1024}}, "reads text of width 768 and its text encoder gives 1024"),
        (
            {},
            {"text_encoder": {"model_type": "t5", "d_model": 768}},
            "its text encoder is a 't5', where CLIP's is read",
        ),
        ({}, {"vae": {"_class_name": "AutoencoderDC"}}, "vae is of class AutoencoderDC: give a world whose VAE is one"),
        ({}, {"vae": {"out_channels": 4}}, "vae paints 4 channels"),
        ({}, {"scheduler": {"_class_name": "FlowMatchEulerDiscreteScheduler"}}, "its schedule is a FlowMatchEuler"),
        ({}, {"scheduler": {"use_flow_sigmas": True}}, "its schedule is a flow"),
    ],
)
def test_parts_of_two_models_are_refused(
    unet: dict[str, Any], configs: dict[str, Any], words: str, tmp_path: Path
) -> None:
    made = folder(tmp_path, "StableDiffusionPipeline", SD, PLAIN | unet, **{"text_encoder": WORDS} | configs)
    assert_refused(worlds.inspect, made, words, WorldMismatch)


def test_a_tokenizer_of_more_words_than_the_text_encoder_knows_is_refused(tmp_path: Path) -> None:
    made = folder(tmp_path, "StableDiffusionPipeline", SD, PLAIN, text_encoder=WORDS | {"vocab_size": 10}, tokenizer={})
    (made / "tokenizer" / "vocab.json").write_text(json.dumps({"a": 0, "b": 9}))
    assert_refused(worlds.inspect, made, r"holds no \.safetensors weights", WorldDamaged)  # it fits
    (made / "tokenizer" / "added_tokens.json").write_text(json.dumps({"<style>": 10}))
    assert_refused(worlds.inspect, made, "words up to number 10 and its text encoder knows 10", WorldMismatch)


def test_a_schedule_of_another_kind_is_refused(tmp_path: Path) -> None:
    made = folder(
        tmp_path, "StableDiffusionPipeline", SD, PLAIN, text_encoder=WORDS,
        scheduler={"prediction_type": "flow_prediction"},
    )  # fmt: skip
    assert_refused(worlds.load, made, "'flow_prediction' is none of epsilon, v_prediction, sample", WorldError)


def test_every_row_says_one_line_and_its_patterns_compile() -> None:
    for row in strangers.ROWS:
        assert "\n" not in row.what + row.remedy
        assert row.pipelines or row.classes or row.alone or row.keys or row.unet or row.files


def test_a_family_is_asked_before_the_strangers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is refused today is claimed the day its family is known."""
    made = folder(tmp_path, "KolorsPipeline", XL, TIME)
    assert_refused(worlds.inspect, made, "this is Kolors")
    kolors = replace(sd1.FAMILY, name="kolors", title="K", claims=lambda seen: "text_encoder_2" in seen.components)
    install(kolors, monkeypatch, tmp_path / "packages")
    with pytest.raises(WorldDamaged, match=r"unet holds no \.safetensors weights"):  # it is one, and not whole
        worlds.inspect(made)


# --- a family of someone else ------------------------------------------------------------------------------------


def install(family: Family, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As if a package with this family were installed."""
    module(monkeypatch, "their_family", FAMILY=family)
    theirs = package(folder, "theirs", "1.0", families.REGISTRY.group, {family.name: "their_family:FAMILY"})
    built_in = {name: f"latentworld.worlds.families.{name}:FAMILY" for name in families.BUILT_IN}
    registry = Registry(families.REGISTRY.group, "family of models", built_in, families.checked, entries(theirs))
    monkeypatch.setattr(families, "REGISTRY", registry)


class Distilled(torch.nn.Module):
    """A UNet that takes its guidance weight, as the last tensor of its conditioning: it answers that much louder."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, sample: torch.Tensor, time: torch.Tensor, text: torch.Tensor, weight: torch.Tensor) -> Any:
        return weight * self.network(sample, time, encoder_hidden_states=text.expand(len(sample), -1, -1)).sample


WIDE = replace(
    plain_unet.family("wide", "Wide", lambda unet: True, channels=16, shifted=True),
    guidance="distilled",
    denoiser=lambda network, *, lean=True, distilled_guidance=None: Distilled(network),
)


def wide(path: Path) -> Path:
    """A tiny world of latents of 16 channels, with a scale and a shift of its own."""
    made = tiny_world.build(path, prediction="epsilon", extras=False)
    with tiny_world.seeded(5):
        unet, vae = tiny_world.unet().config, tiny_world.vae().config
        unet = UNet2DConditionModel.from_config(dict(unet) | {"in_channels": 16, "out_channels": 16})
        more = {"latent_channels": 16, "scaling_factor": 0.36, "shift_factor": 0.12, "_use_default_values": []}
        unet.save_pretrained(made / "unet")
        AutoencoderKL.from_config(dict(vae) | more).save_pretrained(made / "vae")
    return made


def test_a_family_of_16_channels_is_one_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Loaded, walked and painted as its own networks do it, with its own scale, shift and guidance."""
    made = wide(tmp_path / "wide")
    assert_refused(worlds.load, made, "this is a UNet with 16 input and 16 output channels: give a Stable Diffusion 1,")
    install(WIDE, monkeypatch, tmp_path / "packages")
    world = worlds.load(made)
    assert (world.family.name, world.shape, world.latent.scale, world.latent.shift) == ("wide", (16, 8, 8), 0.36, 0.12)
    z = torch.randn(3, *world.shape, generator=torch.Generator().manual_seed(0))
    decoder = faithful_decoder(world, steps=3, guidance=0.5, batch=2)
    ours = decoder(z, Prompt("a cat", "never read"))
    scheduler, sample = SAMPLERS["ddim"].scheduler(world.schedule), z.clone()
    scheduler.set_timesteps(3)
    (text,) = world.text("a cat")
    with torch.no_grad():
        for time in scheduler.timesteps:
            noise = 0.5 * world.denoiser(sample, time, encoder_hidden_states=text.expand(3, -1, -1)).sample
            sample = scheduler.step(noise, time, sample, eta=0.0, return_dict=False)[0]
        theirs = (world.vae.decode(sample / 0.36 + 0.12).sample / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    louder = decoder.variant(replace(decoder.settings, guidance=2.0))
    assert (louder.rows, louder.warm) == (1, True)  # no negative beside it, so the same engine
    assert not torch.allclose(louder(z, Prompt("a cat")), ours)
    assert world.latent.glance(z[0].numpy()).shape == (8, 8, 3)  # without colours of its own


def test_a_family_that_is_none_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(replace(sd1.FAMILY, name="mine"), monkeypatch, tmp_path)
    module(monkeypatch, "their_family", FAMILY=sd1.FAMILY)
    (broken,) = families.REGISTRY.examine()
    assert "its name is 'sd1' and its entry point 'mine': the two must be one" in str(broken)
    assert [family.name for family in families.known()] == list(families.BUILT_IN)


RAISING = """
from dataclasses import replace
from latentworld.worlds.families import sd1

def claims(seen):
    raise ValueError("claims broke")

FAMILY = replace(sd1.FAMILY, name="raising", claims=claims)
"""


def test_a_family_that_raises_is_a_notice_and_the_model_is_named_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = folder(tmp_path / "model", "KolorsPipeline", XL, TIME)
    (tmp_path / "family_that_raises.py").write_text(RAISING)
    theirs = package(tmp_path, "theirs", "1.0", families.REGISTRY.group, {"raising": "family_that_raises:FAMILY"})
    monkeypatch.syspath_prepend(str(tmp_path))
    built_in = {name: f"latentworld.worlds.families.{name}:FAMILY" for name in families.BUILT_IN}
    registry = Registry(families.REGISTRY.group, "family of models", built_in, families.checked, entries(theirs))
    monkeypatch.setattr(families, "REGISTRY", registry)
    with pytest.warns(Notice, match=r"theirs 1\.0 broke in family_that_raises, line 6: ValueError: claims broke"):
        assert_refused(worlds.inspect, made, "this is Kolors")


def test_a_glance_is_the_colours_of_the_latent() -> None:
    latent = np.zeros((4, 2, 3), np.float32)
    latent[1, 0, 2] = 1.0
    seen = sd1.LATENT.glance(latent)
    assert seen.shape == (2, 3, 3)
    np.testing.assert_allclose(seen[0, 0], 0.5)
    np.testing.assert_allclose(seen[0, 2], 0.5 + 0.5 * np.array(sd1.COLOURS[1]), rtol=1e-6)


def test_a_tiny_world_of_each_kind_is_a_member() -> None:
    assert {worlds.inspect(tiny_world.folder(kind)).family.name for kind in ("embedded", "plain", "classic")} == {"sd1"}


def assert_refused(look: Any, path: Path, words: str, kind: type[WorldError] = UnknownFamily) -> None:
    pattern = words if kind is not UnknownFamily or "\\" in words or ".*" in words else re.escape(words)
    with pytest.raises(kind, match=pattern) as error:
        look(path)
    assert type(error.value) is kind or kind is WorldError
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
