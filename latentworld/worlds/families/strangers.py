"""Models that are of no family here, known by name, so that they can be refused by name when they are looked at.

A row says what a model is and what can be done, and how it is known: by the pipeline that a folder's index names, by
its network's class, by the UNet's settings (of a folder's config or read off a header's shapes), or by keys of a single
file. The first row that matches names it. A row may stay when its models become a family: families are asked first.

Keys as diffusers knows them: loaders/single_file_utils.py, CHECKPOINT_KEY_NAMES.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from latentworld.errors import UnknownFamily, WorldDamaged, WorldError, WorldMissing
from latentworld.worlds.card import read_json
from latentworld.worlds.families import original
from latentworld.worlds.layout import Checkpoint, Folder

Settings = Mapping[str, Any]
GIVE = "give a {titles} model"
WHOLE = "give the whole model it belongs to"
BASE = "give the text-to-image model it was made from"
MOVES = "its pictures depend on each other, so a place would have no one picture; " + GIVE
PREFIX = r"(model\.diffusion_model\.|diffusion_model\.|model\.|transformer\.)?"


@dataclass(frozen=True)
class Stranger:
    """A kind of model that is refused. It is matched when any of its ways to be known matches.

    what: completes "this is ...". remedy: what can be done. pipelines: a pattern of pipeline classes. classes: one of
    the class of the network that denoises, or of the one model that a folder holds. unet: a test of UNet settings.
    keys: a pattern of keys of a single file, one of which is enough. files: one that a folder of this kind has.
    """

    what: str
    remedy: str = GIVE
    pipelines: str = ""
    classes: str = ""
    unet: Callable[[Settings], bool] | None = None
    keys: str = ""
    files: tuple[str, ...] = ()


def takes(channels: int) -> Callable[[Settings], bool]:
    """A test of a UNet: whether it takes so many input channels."""
    return lambda unet: unet.get("in_channels") == channels


def adds(*kinds: str) -> Callable[[Settings], bool]:
    """A test of a UNet: whether it is given more than noise, time and text, of one of these kinds."""
    return lambda unet: unet.get("addition_embed_type") in kinds


NO_MODELS = (
    Stranger(
        "a LoRA, which changes a model and is none",
        "name it as decoder.scout_lora, and as the world the model it was made for",
        keys=r"^lora_|[._]lora[._](down|up|mid|A|B)\b|\.hada_w1|\.lokr_w1|\.dora_scale",
        files=("adapter_config.json", "pytorch_lora_weights.safetensors"),
    ),
    Stranger("an IP-Adapter, which adds a picture to a model's prompt", keys=r"^(ip_adapter|image_proj)\."),
    Stranger(
        "a textual inversion, one word for a text encoder",
        keys=r"^(emb_params|string_to_param|clip_[lg]|<[^>]+>)$",
        files=("learned_embeds.safetensors",),
    ),
    Stranger(
        "a ControlNet, which steers a model by a picture",
        keys=r"^(control_model|controlnet_cond_embedding|controlnet_blocks|control_all_x_embedder|control_layers)\.",
        classes=r"ControlNet",
    ),
    Stranger("a T2I-Adapter, which steers a model by a picture", classes=r"T2IAdapter", keys=r"^adapter\.body\."),
    Stranger(
        "a motion module of AnimateDiff, which makes video of a model",
        MOVES,
        pipelines=r"AnimateDiff|^PIA",
        keys=r"motion_modules\.",
        classes=r"MotionAdapter",
    ),
)
VIDEO = (
    Stranger(
        "Stable Video Diffusion, a video model",
        MOVES,
        pipelines=r"^StableVideoDiffusion",
        keys=r"time_stack|time_mixer",
        classes=r"SpatioTemporal",
    ),
    Stranger("Wan, a video model", MOVES, pipelines=r"^Wan", keys=rf"^{PREFIX}head\.modulation$", classes=r"^Wan"),
    Stranger(
        "LTX, a video model",
        MOVES,
        pipelines=r"^LTX",
        keys=rf"^{PREFIX}(patchify_proj\.weight|av_ca_a2v_gate_adaln_single\.)",
        classes=r"^LTX",
    ),
    Stranger(
        "Hunyuan Video, a video model",
        MOVES,
        pipelines=r"^Hunyuan(Video|Skyreels)",
        keys=rf"^{PREFIX}txt_in\.individual_token_refiner\.",
        classes=r"^HunyuanVideo",
    ),
    Stranger("CogVideoX, a video model", MOVES, pipelines=r"^CogVideo|^ConsisID", classes=r"^CogVideo"),
    Stranger("Mochi, a video model", MOVES, pipelines=r"^Mochi", keys=rf"^{PREFIX}blocks\.0\.attn\.qkv_x\."),
    Stranger(
        "Cosmos, a video model",
        MOVES,
        pipelines=r"^Cosmos(?!\w*TextToImage)",
        keys=r"^net\.x_embedder\.proj\.1\.",
        classes=r"^Cosmos",
    ),
    Stranger(
        "a video model ({pipeline})",
        MOVES,
        pipelines=r"Video|^(Allegro|Latte|EasyAnimate|I2VGen|SkyReels|Helios|AnyFlow|ChronoEdit|LucyEdit|SanaWM)"
        r"|^Kandinsky\d(T2V|I2V|TI2V)",
        classes=r"3DCondition|MotionModel|3DModel",
    ),
)
PICTURES = (
    Stranger(
        "the SDXL refiner, which only finishes what SDXL began",
        pipelines=r"^StableDiffusionXLImg2Img",
        keys=r"^conditioner\.embedders\.0\.model\.",
    ),
    Stranger(
        "SDXL for inpainting, with 9 input channels",
        pipelines=r"^StableDiffusionXL\w*Inpaint",
        unet=lambda unet: takes(9)(unet) and (adds("text_time")(unet) or unet.get("cross_attention_dim") == 2048),
    ),
    Stranger("Kolors (SDXL with a language model in place of CLIP)", pipelines=r"^Kolors"),
    Stranger(
        "SDXL (two text encoders)",
        pipelines=r"^StableDiffusionXL",
        unet=lambda unet: adds("text_time")(unet) or unet.get("cross_attention_dim") == 2048,
        keys=r"^conditioner\.embedders\.|^edm_mean$|^add_embedding\.",
    ),
    Stranger(
        "Stable Diffusion 3 (a flow model with three text encoders)",
        pipelines=r"^StableDiffusion3",
        keys=rf"^{PREFIX}joint_blocks\.0\.",
        classes=r"^SD3Transformer",
    ),
    Stranger(
        "FLUX.2 (a flow model, its words read by a language model)",
        pipelines=r"^Flux2",
        keys=rf"^{PREFIX}single_stream_modulation\.",
        classes=r"^Flux2",
    ),
    Stranger(
        "Chroma (a flow model)",
        pipelines=r"^Chroma",
        keys=rf"^{PREFIX}distilled_guidance_layer\.",
        classes=r"^Chroma",
    ),
    Stranger(
        "FLUX.1 (a flow model, CLIP and T5 its text encoders)",
        pipelines=r"^(Flux|VisualCloze)",
        keys=rf"^{PREFIX}double_blocks\.0\.img_attn\.",
        classes=r"^Flux",
    ),
    Stranger(
        "Z-Image (a flow model, its words read by a language model)",
        pipelines=r"^ZImage",
        keys=rf"^{PREFIX}(layers\.0\.adaLN_modulation\.0|context_refiner\.0\.attention\.(qkv|to_q))\.",
        classes=r"^ZImage",
    ),
    Stranger("Lumina (a flow model)", pipelines=r"^Lumina", keys=rf"^{PREFIX}cap_embedder\.0\.", classes=r"^Lumina"),
    Stranger(
        "SANA (a flow model with latents of 32 channels)",
        pipelines=r"^Sana(?!Video|WM|ImageToVideo)",
        keys=rf"^{PREFIX}(attention_y_norm\.|blocks\.0\.mlp\.inverted_conv\.)",
        classes=r"^Sana",
    ),
    Stranger(
        "PixArt (a diffusion transformer)",
        pipelines=r"^PixArt",
        keys=rf"^{PREFIX}blocks\.0\.cross_attn\.q_linear\.",
        classes=r"^PixArt",
    ),
    Stranger("AuraFlow (a flow model)", pipelines=r"^AuraFlow", keys=rf"^{PREFIX}double_layers\.0\.attn\.w"),
    Stranger(
        "HiDream (a flow model)",
        pipelines=r"^HiDream",
        keys=rf"^{PREFIX}double_stream_blocks\.0\.",
        classes=r"^HiDream",
    ),
    Stranger(
        "Qwen-Image (a flow model)",
        pipelines=r"^QwenImage",
        keys=rf"^{PREFIX}(txt_norm\.weight|txt_in\.text_norm\.)",
        classes=r"^QwenImage",
    ),
    Stranger("Hunyuan-DiT (a diffusion transformer)", pipelines=r"^HunyuanDiT", classes=r"^HunyuanDiT"),
    Stranger("Kandinsky", pipelines=r"^Kandinsky", unet=adds("text_image", "image", "image_hint")),
    Stranger(
        "Stable Cascade, or Würstchen (latents of latents)",
        pipelines=r"^(StableCascade|Wuerstchen)",
        keys=r"^(clip_txt_mapper\.|down_blocks\.1\.0\.channelwise\.)",
    ),
    Stranger("DeepFloyd IF, which works on pixels", pipelines=r"^IF[A-Z]", unet=adds("text")),
    Stranger(
        "an inpainting model with 9 input channels (a picture and a mask beside the noise)",
        BASE,
        pipelines=r"^PaintByExample",
        unet=takes(9),
    ),
    Stranger(
        "a depth-to-image model with 5 input channels (a depth map beside the noise)",
        BASE,
        pipelines=r"Depth2Img",
        unet=takes(5),
    ),
    Stranger("an upscaler of latents (a picture beside the noise)", pipelines=r"^StableDiffusionLatentUpscale"),
    Stranger(
        "the x4 upscaler with 7 input channels (a small picture beside the noise)",
        pipelines=r"^StableDiffusionUpscale|^LDMSuperResolution",
        unet=takes(7),
    ),
    Stranger("Marigold, which reads a picture's depth or normals (8 input channels)", pipelines=r"^Marigold"),
    Stranger(
        "an instruct-pix2pix model with 8 input channels (a picture to be changed beside the noise)",
        BASE,
        pipelines=r"InstructPix2Pix|Pix2PixZero",
        unet=takes(8),
    ),
    Stranger(
        "an unCLIP model (a picture's embedding beside the prompt)",
        pipelines=r"UnCLIP|^Karlo",
        unet=lambda unet: unet.get("class_embed_type") == "projection",
    ),
    Stranger(
        "a model of image variations (a picture in place of the prompt)",
        pipelines=r"ImageVariation|^VersatileDiffusion",
    ),
    Stranger(
        "a Stable Diffusion model with a ControlNet (a picture beside the prompt)",
        "give the Stable Diffusion folder without it",
        pipelines=r"^StableDiffusion\w*(ControlNet|Adapter)",
    ),
    Stranger("GLIGEN (boxes beside the prompt)", pipelines=r"GLIGEN"),
    Stranger("AltDiffusion (a text encoder that is no CLIP)", pipelines=r"^AltDiffusion"),
    Stranger(
        "a UNet that wants class labels",
        unet=lambda unet: bool(unet.get("num_class_embeds") or unet.get("class_embed_type")),
    ),
    Stranger("a model of sounds", pipelines=r"Audio|^MusicLDM|^DanceDiffusion|^Spectrogram|^AceStep"),
    Stranger(
        "a model of pixels or latents without a prompt",
        pipelines=r"^(DDPM|DDIM|PNDM|ScoreSdeVe|KarrasVe|Consistency\w*|LDM|RePaint|DiT)Pipeline$",
        classes=r"^UNet2DModel$",
    ),
)
PIECES = (
    Stranger(
        "a UNet with {in_channels} input and {out_channels} output channels",
        unet=lambda unet: (unet.get("in_channels"), unet.get("out_channels")) != (4, 4),
    ),
    Stranger(
        "a UNet that is given more than noise, time and a prompt",
        unet=lambda unet: any(
            unet.get(key) for key in ("addition_embed_type", "encoder_hid_dim", "encoder_hid_dim_type")
        ),
    ),
    Stranger("a lone UNet, one part of a model", WHOLE, classes=r"^UNet2DCondition", keys=r"^down_blocks\.0\."),
    Stranger(
        "a lone VAE, one part of a model",
        WHOLE,
        keys=r"^(encoder|decoder)\.conv_in\.",
        classes=r"^(Autoencoder|AsymmetricAutoencoder|ConsistencyDecoder|VQModel)",
    ),
    Stranger(
        "a model of text or of pictures' meaning, which denoises nothing",
        keys=r"^(text_model|vision_model|transformer\.resblocks|model\.layers\.0\.self_attn)\.",
        classes=r"^(CLIP|T5|UMT5|Llama|Qwen|Gemma|Mistral|Bert|Roberta|Siglip)",
    ),
)
ROWS = (*NO_MODELS, *VIDEO, *PICTURES, *PIECES)


def refusal(seen: Folder | Checkpoint, titles: str) -> WorldError:
    """One line that says what a model is which no family claims, and what can be done. titles: of the families."""
    traits = _of_folder(seen) if isinstance(seen, Folder) else _of_checkpoint(seen)
    row = next((row for row in ROWS if _matches(row, traits)), None)
    if row is not None:
        what = row.what.format_map({"pipeline": traits.pipeline} | dict(traits.unet))
        return UnknownFamily(f"{seen.path}: this is {what}: {row.remedy.format(titles=titles)}")
    give = GIVE.format(titles=titles)
    return _folder(seen, traits, give) if isinstance(seen, Folder) else _checkpoint(seen, give)


@dataclass(frozen=True)
class Traits:
    """What a model can be known by. unet: empty where it has none."""

    pipeline: str = ""
    network: str = ""
    unet: Settings = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def _matches(row: Stranger, traits: Traits) -> bool:
    return (
        bool(row.pipelines and re.search(row.pipelines, traits.pipeline))
        or bool(row.classes and re.search(row.classes, traits.network))
        or bool(row.unet and traits.unet and row.unet(traits.unet))
        or bool(row.keys and any(re.search(row.keys, key) for key in traits.keys))
        or any(file in traits.files for file in row.files)
    )


def _of_folder(seen: Folder) -> Traits:
    """A folder's traits; without an index, those of the one model that it may hold."""
    unet = dict(seen.config("unet"))
    settings = {"in_channels": 4, "out_channels": 4} | unet if unet else {}
    listed = seen.components
    network = listed.get("transformer") or listed.get("unet") or unet.get("_class_name")
    network = network or seen.config("transformer").get("_class_name")
    if not network and (seen.path / "config.json").is_file():
        alone = read_json(seen.path / "config.json")
        network = alone.get("_class_name") or next(iter(alone.get("architectures") or []), "")
    files = tuple(sorted(file.name for file in seen.path.iterdir() if file.is_file()))
    return Traits(seen.pipeline, str(network or ""), settings, files=files)


def _of_checkpoint(seen: Checkpoint) -> Traits:
    shapes = seen.shapes
    if original.FIRST not in shapes:
        return Traits(keys=tuple(shapes))
    reads = (shape[-1] for key, shape in shapes.items() if key.endswith("attn2.to_k.weight"))
    unet: dict[str, Any] = {
        "in_channels": shapes[original.FIRST][1],
        "out_channels": shapes.get(original.LAST, (4,))[0],
        "cross_attention_dim": next(reads, None),
    }
    if any(key.startswith(original.LABELS) for key in shapes):
        unet |= {"class_embed_type": "projection" if original.LABELS + "0.0.weight" in shapes else "labels"}
    return Traits(unet=unet, keys=tuple(shapes))


def _folder(seen: Folder, traits: Traits, give: str) -> WorldError:
    """What to say of a folder that no row names."""
    listed = seen.components
    if traits.pipeline:
        lacks = [name for name in ("text_encoder", "tokenizer", "vae", "scheduler") if name not in listed]
        without = f" without {' and '.join(lacks)}" if lacks else ""
        return UnknownFamily(f"{seen.path}: this is a {traits.pipeline}{without}, of no family known here: {give}")
    inside = [name for name in traits.files if name.endswith(".safetensors")]
    if inside:
        return WorldMissing(f"{seen.path} is in no diffusers layout, but holds {inside[0]}: give that file's path")
    return WorldMissing(
        f"{seen.path} holds no model in the diffusers layout (no model_index.json, no unet): "
        f"give such a folder, a .safetensors file or a hub name"
    )


def _checkpoint(seen: Checkpoint, give: str) -> WorldError:
    """What to say of a file that no row names."""
    shapes = seen.shapes
    if original.FIRST in shapes:
        lacks = [] if original.PAINTS in shapes else ["VAE"]
        if not any(key.startswith((original.SD1.text, original.SD2.text)) for key in shapes):
            lacks.append("text encoder that is known here")
        return WorldDamaged(f"{seen.path} has no {' and no '.join(lacks)}: give a checkpoint that has all its parts")
    says = seen.metadata.get("modelspec.architecture")
    of_itself = f" (it says it is {says:.60})" if says else ""
    return UnknownFamily(f"{seen.path} is no model that is known here{of_itself}: {give}")
