"""The exported folder in other people's stacks: the same picture and the same logits in older libraries.

Wants a Python with diffusers 0.30 and transformers 4.46 (docs/casting.md says how to lay one), named by the variable
LATENTWORLD_OLD_STACK; without it this is reported as skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from latentworld import worlds

PROGRAM = """
import sys
import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from transformers import CLIPModel, CLIPProcessor
folder, out = sys.argv[1:3]
pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
pipe.set_progress_bar_config(disable=True)
shape = (1, pipe.unet.config.in_channels, pipe.unet.config.sample_size, pipe.unet.config.sample_size)
start = torch.randn(shape, generator=torch.Generator().manual_seed(0))
asked = {"prompt": "a cat looking at the camera", "negative_prompt": "blurry", "num_inference_steps": 6}
image = pipe(latents=start, guidance_scale=2.0, output_type="np", **asked).images[0]
model, reader = CLIPModel.from_pretrained(folder + "/clip"), CLIPProcessor.from_pretrained(folder + "/clip")
given = reader(text=["a cat", "sea"], images=pipe.numpy_to_pil(image), padding="max_length", return_tensors="pt")
np.savez(out, image=image, logits=model(**given).logits_per_image.detach().numpy())
"""
OLD = os.environ.get("LATENTWORLD_OLD_STACK")


@pytest.mark.slow
@pytest.mark.skipif(OLD is None, reason="LATENTWORLD_OLD_STACK names no Python with older libraries")
def test_older_libraries_paint_the_same_picture(tmp_path: Path) -> None:
    folder = Path(worlds.__file__).with_name("embedded")
    for name, python in (("new", sys.executable), ("old", str(OLD))):
        subprocess.run([python, "-c", PROGRAM, str(folder), str(tmp_path / f"{name}.npz")], check=True)
    new, old = (np.load(tmp_path / f"{name}.npz") for name in ("new", "old"))
    assert np.abs(new["image"] - old["image"]).max() < 0.5 / 255
    assert np.abs(new["logits"] - old["logits"]).max() < 1e-2
