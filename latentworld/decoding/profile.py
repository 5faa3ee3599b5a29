"""The render profile: everything that a picture's bytes depend on besides its latent and its prompt.

It is written with every film, take and atlas, so that pictures can be made again, or it can be said why they cannot.
`Profile.read` also reads what was written before it had its present form.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING

from latentworld.decoding.sampling import Sampling
from latentworld.decoding.settings import DecoderSettings
from latentworld.device import NAMES
from latentworld.errors import DecodeError
from latentworld.tables import number, whole

if TYPE_CHECKING:
    import torch as torch_library


@dataclass(frozen=True)
class Versions:
    """What of the software a picture's bytes depend on; "" for what is not there, or was not recorded.

    torch, cuda, cudnn, driver: their versions, cuDNN's with `searched` where it finds its algorithms by trying;
    attention: the ways of scaled dot product attention that torch may choose from; runtime: what computes and its
    version, where it is not torch alone.
    """

    torch: str = ""
    cuda: str = ""
    cudnn: str = ""
    driver: str = ""
    attention: str = ""
    runtime: str = ""


@dataclass(frozen=True)
class Profile:
    """Everything a picture's bytes depend on besides its latent and its prompt; "" and 0 where it was not recorded.

    kind, sampler, steps, guidance, batch, size, engine: as in `DecoderSettings`; variant: which networks of the world
    (`student/tiny`; with the digests of a LoRA and of a VAE that are not the world's: `lora@1f0e…/tiny@93ab…`); family:
    of model; world: digest of its weights; device: `cpu`, `cuda`, `xpu` or `mps`; card: the name of the GPU, or the
    vector instructions of the processor; dtype: of the networks; threads: of the processor (0 on other devices), since
    sums are split among them; versions: of the software; sampling: as `Sampling` is written; hold: digest of what holds
    vertices from pictures, "" where nothing does; start: time of the schedule at which denoising begins, 0 for pure
    noise; bridge: digest of what bends the way between the first two vertices, "" where nothing does; loras: digests
    and strengths of LoRA for style, "" without any; precision: of what is multiplied, "" where it is the dtype.
    """

    kind: str
    world: str
    device: str
    dtype: str
    batch: int
    steps: int
    guidance: float
    engine: str
    sampler: str = ""
    variant: str = ""
    family: str = ""
    card: str = ""
    threads: int = 0
    size: tuple[int, int] = (0, 0)
    versions: Versions = Versions()
    sampling: str = ""
    hold: str = ""
    start: int = 0
    bridge: str = ""
    loras: str = ""
    precision: str = ""

    @functools.cached_property
    def hash(self) -> str:
        """16 hexadecimal digits, written with every frame."""
        return hashlib.sha256(json.dumps(self.record(), sort_keys=True).encode()).hexdigest()[:16]

    def record(self) -> dict[str, object]:
        """As JSON takes it: one table, `versions` among the rest; what is "" is left out, and a start of 0."""
        table = asdict(self)
        table |= {"size": list(self.size)} | table.pop("versions")
        return {key: value for key, value in table.items() if value != "" and (key, value) != ("start", 0)}

    @classmethod
    def read(cls, record: Mapping[str, object]) -> Profile:
        """A profile from what was recorded, in this form or in the first one, which had `decoder` for kind and variant
        (`scout/student/tiny`) and a card's name for a device. What is not known is passed over.

        Raises DecodeError where it is no profile.
        """
        if not isinstance(record, Mapping):
            raise DecodeError(f"a render profile is a table, not {record!r:.40}: take it from a copy")
        table = _modern(record) if "decoder" in record else record

        def text(key: str) -> str:
            return str(table.get(key, ""))

        try:
            size = table.get("size") or (0, 0)
            if not isinstance(size, list | tuple):
                raise TypeError(f"size is {size!r:.40}, two numbers are wanted")
            height, width = size
            return cls(
                kind=str(table["kind"]),
                world=str(table["world"]),
                device=str(table["device"]),
                dtype=str(table["dtype"]),
                batch=whole(table, "batch"),
                steps=whole(table, "steps"),
                guidance=number(table, "guidance"),
                engine=str(table["engine"]),
                sampler=text("sampler"),
                variant=text("variant"),
                family=text("family"),
                card=text("card"),
                sampling=text("sampling"),
                threads=whole(table, "threads") if "threads" in table else 0,
                size=(int(height), int(width)),
                versions=Versions(**{part.name: text(part.name) for part in fields(Versions)}),
                hold=text("hold"),
                start=whole(table, "start") if "start" in table else 0,
                bridge=text("bridge"),
                loras=text("loras"),
                precision=text("precision"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DecodeError(f"a render profile cannot be read ({error!r}): take it from a copy") from None

    def differences(self, now: Profile) -> list[str]:
        """What differs from another profile, as `batch was 16, now 8`, in alphabetical order.

        A part that either has not recorded is passed over: a profile of the first form does not say which driver it
        was. Of a hold, a start, a bridge, LoRA or a precision nothing means that there was none.
        """
        one, other = (each.record() | each._without for each in (self, now))
        both = sorted(key for key in one.keys() & other.keys() if [0, 0] not in (one[key], other[key]))
        apart = [(key, json.dumps(one[key]), json.dumps(other[key])) for key in both if one[key] != other[key]]
        return [f"{key} was {before}, now {after}" for key, before, after in apart]

    def settings(self, own: DecoderSettings) -> DecoderSettings:
        """The settings that make such pictures: `own`, of a decoder of this kind, with what is recorded here."""
        networks = self.variant.partition("/")[0].partition("@")[0]
        found = replace(
            own, steps=self.steps, guidance=self.guidance, batch=self.batch, sampler=self.sampler, variant=networks,
            sampling=Sampling.read(self.sampling),
        )  # fmt: skip
        return found if self.size == (0, 0) else replace(found, size=self.size)

    @property
    def _without(self) -> dict[str, object]:
        """What a record says also by saying nothing."""
        said = {"hold": self.hold, "start": self.start, "bridge": self.bridge}
        return {**said, "loras": self.loras, "precision": self.precision}

    @property
    def place(self) -> str:
        """Where it is computed, for people: a card's name, or `cpu`."""
        return self.card if self.device != "cpu" and self.card else self.device


def _modern(record: Mapping[str, object]) -> dict[str, object]:
    """A record of the first form in the present one."""
    kind, _, variant = str(record["decoder"]).partition("/")
    device = str(record.get("device", ""))
    is_card = device not in ("", "cpu", "mps") and not device.startswith("cuda")
    table = {key: value for key, value in record.items() if key not in ("decoder", "device")}
    table |= {"device": "cuda" if is_card else device.partition(":")[0], "card": device if is_card else ""}
    # each kind had one sampler, but for a student, which brings its own schedule
    sampler = "ddim" if kind == "faithful" else "lcm" if variant.startswith(("lcm", "lora")) else ""
    return table | {"kind": kind, "variant": variant, "sampler": sampler}


def of_torch(
    settings: DecoderSettings,
    device: torch_library.device,
    *,
    world: str,
    variant: str,
    sampler: str,
    family: str = "",
    hold: str = "",
    bridge: str = "",
    loras: str = "",
) -> Profile:
    """The profile of networks that run on a device under these settings."""
    import torch

    kind = device.type
    return Profile(
        kind=settings.kind,
        world=world,
        device=kind,
        dtype=settings.dtype,
        batch=settings.batch,
        steps=settings.steps,
        guidance=settings.guidance,
        engine=settings.engine,
        sampler=sampler,
        variant=variant,
        family=family,
        card=card(device),
        threads=torch.get_num_threads() if kind == "cpu" else 0,
        size=settings.size,
        sampling=str(settings.sampling),
        versions=versions(kind, settings.engine, settings.precision),
        hold=hold,
        start=settings.start or 0,
        bridge=bridge,
        loras=loras,
        precision=settings.precision,
    )


def card(device: torch_library.device) -> str:
    """The name of a card; of a processor the vector instructions that torch uses, since its sums hang on them."""
    import torch

    if device.type in NAMES:
        return str(torch.get_device_module(device).get_device_name(device))
    return torch.backends.cpu.get_cpu_capability() if device.type == "cpu" else ""


def versions(device: str, engine: str, precision: str = "") -> Versions:
    """The software that computes on a kind of device through an engine, with other numbers than the networks'."""
    import torch

    is_cuda = device == "cuda"
    cudnn = torch.backends.cudnn.version() if is_cuda else None  # type: ignore[no-untyped-call]
    return Versions(
        torch=torch.__version__,
        cuda=(torch.version.cuda or f"rocm {torch.version.hip}") if is_cuda else "",
        cudnn=f"{cudnn or ''}{' searched' if is_cuda and torch.backends.cudnn.benchmark else ''}",
        driver=_driver() if is_cuda else "",
        attention="" if engine == "openvino" else _attention(is_cuda),
        runtime=_version("openvino") if engine == "openvino" else _version("torchao") if precision == "fp8" else "",
    )


def _attention(is_cuda: bool) -> str:
    """The enabled ways of `scaled_dot_product_attention`: which of them it takes follows from shapes and card."""
    from torch.backends import cuda

    ways: dict[str, Callable[[], bool]] = {"flash": cuda.flash_sdp_enabled, "math": cuda.math_sdp_enabled}
    if is_cuda:
        ways |= {"cudnn": cuda.cudnn_sdp_enabled, "efficient": cuda.mem_efficient_sdp_enabled}
    return " ".join(sorted(name for name, is_enabled in ways.items() if is_enabled()))


@functools.cache
def _version(library: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return library


@functools.cache
def _driver() -> str:
    """The NVIDIA driver's version, as the management library that comes with it has it; "" without one."""
    for name in ("libnvidia-ml.so.1", "nvml.dll"):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        text = ctypes.create_string_buffer(96)
        if library.nvmlInit_v2() == 0:
            found = library.nvmlSystemGetDriverVersion(text, ctypes.c_uint(len(text))) == 0
            library.nvmlShutdown()
            return text.value.decode() if found else ""
    return ""
