"""The scout where its rate counts for more than its last digit: in a show, and where many globes are compared."""

from __future__ import annotations

from latentworld.decoding.settings import DecoderSpec
from latentworld.device import choose
from latentworld.frozen import changed


def quick(spec: DecoderSpec) -> DecoderSpec:
    """The section with the fastest numbers for the scout that this machine has, where it leaves them open: bfloat16
    on a processor that multiplies it (docs/decisions/0034). Raises PresetError for what this machine cannot do."""
    if spec.scout_precision != "auto" or choose(spec.device, spec.dtype, spec.engine).engine != "openvino":
        return spec
    from latentworld.decoding.engines import has_bfloat16  # torch, which a preset needs none of

    return changed(spec, scout_precision="bfloat16") if has_bfloat16() else spec
