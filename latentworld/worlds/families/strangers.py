"""Models that are of no family here, known by name, so that they can be refused by name when they are looked at.

A row says what a model is and what can be done, and how it is known: by the pipeline that a folder's index names, by
its network's class, by the UNet's settings (of a folder's config or read off a header's shapes), or by keys of a single
file. The first row that matches names it. A row may stay when its models become a family: families are asked first.

Keys as diffusers knows them: loaders/single_file_utils.py, CHECKPOINT_KEY_NAMES.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from latentworld.worlds.families.original_names import QUANTISED

Settings = Mapping[str, object]
GIVE = "give a {titles} model"
WHOLE = "give the whole model it belongs to"
BASE = "give the text-to-image model it was made from"
MOVES = "its pictures depend on each other, so a place would have no one picture; " + GIVE
PREFIX = r"(model\.diffusion_model\.|diffusion_model\.|model\.|transformer\.)?"


@dataclass(frozen=True)
class Stranger:
    """A kind of model that is refused. It is matched when any of its ways to be known matches.

    what: completes "this is ...". remedy: what can be done. pipelines: a pattern of pipeline classes. classes: one of
    the class of the network that denoises. alone: one of the class of the only model that a folder holds. unet: a test
    of UNet settings. keys: a pattern of keys of a single file, one of which is enough. files: one that a folder has.
    """

    what: str
    remedy: str = GIVE
    pipelines: str = ""
    classes: str = ""
    alone: str = ""
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
        "a quantised model",
        "give it in float16 or float32",
        keys=QUANTISED.pattern,
    ),
    Stranger(
        "a LoRA, which changes a model and is none",
        "name it in world.loras (a few-step one as decoder.scout_lora), and as the world the model it was made for",
        keys=r"^lora_|[._]lora[._](down|up|mid|A|B)\b|\.hada_w1|\.lokr_w1|\.dora_scale",
        files=("adapter_config.json", "pytorch_lora_weights.safetensors"),
    ),
    Stranger("an IP-Adapter, which adds a picture to a model's prompt", keys=r"^(ip_adapter|image_proj)\."),
    Stranger(
        "a textual inversion, one word for a text encoder",
        "name it in world.embeddings, and as the world the model it was made for",
        keys=r"^(emb_params|string_to_param|clip_[lg]|<[^>]+>)$",
        files=("learned_embeds.safetensors",),
    ),
    Stranger(
        "a ControlNet, which steers a model by a picture",
        keys=r"^(control_model|controlnet_cond_embedding|controlnet_blocks|control_all_x_embedder|control_layers)\.",
        alone=r"ControlNet",
    ),
    Stranger("a T2I-Adapter, which steers a model by a picture", alone=r"T2IAdapter", keys=r"^adapter\.body\."),
    Stranger(
        "AnimateDiff, which makes video of a model",
        MOVES,
        pipelines=r"AnimateDiff|^PIA",
        keys=r"motion_modules\.",
        alone=r"MotionAdapter",
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
        "Stable Diffusion 3 in one file",
        "give the folder of the whole model, in diffusers' layout",
        keys=rf"^{PREFIX}joint_blocks\.0\.",
        alone=r"^SD3Transformer",
    ),
    Stranger(
        "Stable Diffusion 3 with a picture beside the noise",
        "give the Stable Diffusion 3 model it was made from",
        pipelines=r"^StableDiffusion3",
        classes=r"^SD3Transformer",
    ),
    Stranger(
        "FLUX.2 in one file",
        "give the folder of the whole model, FLUX.2 klein, in diffusers' layout",
        keys=rf"^{PREFIX}single_stream_modulation\.",
        alone=r"^Flux2Transformer",
    ),
    Stranger("FLUX.2 dev, or one with a picture beside the noise", GIVE, pipelines=r"^Flux2", classes=r"^Flux2"),
    Stranger(
        "Chroma (a flow model)",
        pipelines=r"^Chroma",
        keys=rf"^{PREFIX}distilled_guidance_layer\.",
        classes=r"^Chroma",
    ),
    Stranger(
        "FLUX.1 without its text encoders and VAE, or in one file",
        "give the folder of the whole model, in diffusers' layout",
        keys=rf"^{PREFIX}double_blocks\.0\.img_attn\.",
        alone=r"^FluxTransformer",
    ),
    Stranger(
        "FLUX.1 for filling, editing or control (a picture beside the noise)",
        "give the FLUX.1 model it was made from",
        pipelines=r"^(Flux|VisualCloze)",
        classes=r"^Flux",
    ),
    Stranger(
        "Z-Image in one file",
        "give the folder of the whole model, in diffusers' layout",
        keys=rf"^{PREFIX}(layers\.0\.adaLN_modulation\.0|context_refiner\.0\.attention\.(qkv|to_q))\.",
        alone=r"^ZImageTransformer",
    ),
    Stranger(
        "Z-Image with a picture beside the noise",
        "give the Z-Image model it was made from",
        pipelines=r"^ZImage",
        classes=r"^ZImage",
    ),
    Stranger("Lumina (a flow model)", pipelines=r"^Lumina", keys=rf"^{PREFIX}cap_embedder\.0\.", classes=r"^Lumina"),
    Stranger(
        "SANA of many steps (SANA-Sprint is known)",
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
    Stranger("a lone UNet, one part of a model", WHOLE, alone=r"^UNet2DCondition", keys=r"^down_blocks\.0\."),
    Stranger(
        "a lone VAE, one part of a model",
        WHOLE,
        keys=r"^(encoder|decoder)\.conv_in\.",
        alone=r"^(Autoencoder|AsymmetricAutoencoder|ConsistencyDecoder|VQModel)",
    ),
    Stranger(
        "a model of text or of pictures' meaning, which denoises nothing",
        keys=r"^(text_model|vision_model|transformer\.resblocks|model\.layers\.0\.self_attn)\.",
        alone=r"^(CLIP|T5|UMT5|Llama|Qwen|Gemma|Mistral|Bert|Roberta|Siglip)",
    ),
)
TRANSFORMERS = {
    "FluxTransformer2DModel": r"^(Flux(?!2)|VisualCloze)",
    "Flux2Transformer2DModel": r"^Flux2",
    "SD3Transformer2DModel": r"^StableDiffusion3",
    "ZImageTransformer2DModel": r"^ZImage",
    "SanaTransformer2DModel": r"^Sana",
}
"""Of the families that are known: which pipelines a transformer is of, by its class."""
ROWS = (*NO_MODELS, *VIDEO, *PICTURES, *PIECES)
