"""CLIP's text encoder of a plain kind in torch alone: the numbers that transformers' CLIPTextModel gives, to the bit.

Importing that library takes 3 seconds of a processor, most of what stands between a command and its first picture. What
is not plain is left to it (`read` gives None), and it is the twin that a test holds this one to. Modules and weights
have its names, so that a LoRA finds its layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from latentworld.worlds import files
from latentworld.worlds.card import read_json

BEFORE = "text_model."  # of every weight's name in files that transformers wrote before its version 5
NEEDLESS = "position_ids"  # 0, 1, 2 ..., which some files keep
# what a plain model's config may say; of anything else nothing is known here
TELLS = {
    "_name_or_path", "architectures", "attention_dropout", "bos_token_id", "dropout", "dtype", "eos_token_id",
    "hidden_act", "hidden_size", "initializer_factor", "initializer_range", "intermediate_size", "layer_norm_eps",
    "max_position_embeddings", "model_type", "num_attention_heads", "num_hidden_layers", "pad_token_id",
    "projection_dim", "torch_dtype", "transformers_version", "vocab_size",
}  # fmt: skip


Weights: TypeAlias = "Mapping[str, Tensor]"


def quick_gelu(x: Tensor) -> Tensor:
    """CLIP's own activation (github.com/hendrycks/GELUs)."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {"quick_gelu": quick_gelu, "gelu": functional.gelu}


@dataclass(frozen=True)
class Form:
    """A text encoder's sizes, by the names that its config has for them."""

    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    num_hidden_layers: int
    max_position_embeddings: int
    vocab_size: int
    hidden_act: str
    layer_norm_eps: float


class Read(NamedTuple):
    """What a text encoder makes of tokens: the last layer's output through the final norm, and all layers' before it,
    the embeddings first, each `[texts, tokens, width]`."""

    last_hidden_state: Tensor
    hidden_states: tuple[Tensor, ...]


class Weighed(nn.Module):
    """A layer of given weights, by their names after its own. torch's layers are filled with random numbers first, and
    without memory for them that takes torch's compiler, 3 seconds of imports."""

    weight: nn.Parameter
    bias: nn.Parameter

    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        for own in ("weight", "bias"):
            if f"{name}.{own}" in weights:
                self.register_parameter(own, nn.Parameter(weights[f"{name}.{own}"], requires_grad=False))


class Embedding(Weighed):
    """Numbers to rows."""

    def forward(self, ids: Tensor) -> Tensor:
        return functional.embedding(ids, self.weight)


class Linear(Weighed):
    """A matrix product."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight, self.bias)


class Norm(Weighed):
    """Layer norm. epsilon: beside the variance."""

    def __init__(self, weights: Weights, name: str, epsilon: float) -> None:
        super().__init__(weights, name)
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


class Embeddings(nn.Module):
    """Tokens and their places."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.token_embedding = Embedding(weights, "embeddings.token_embedding")
        self.position_embedding = Embedding(weights, "embeddings.position_embedding")

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[-1], device=ids.device)[None]
        return self.token_embedding(ids) + self.position_embedding(places)  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Each token looks at itself and at those before it."""

    def __init__(self, form: Form, weights: Weights, name: str) -> None:
        super().__init__()
        self.head = form.hidden_size // form.num_attention_heads
        self.k_proj, self.v_proj = Linear(weights, f"{name}.k_proj"), Linear(weights, f"{name}.v_proj")
        self.q_proj, self.out_proj = Linear(weights, f"{name}.q_proj"), Linear(weights, f"{name}.out_proj")

    def forward(self, x: Tensor) -> Tensor:
        split = (*x.shape[:-1], -1, self.head)
        query, key, value = (make(x).view(split).transpose(1, 2) for make in (self.q_proj, self.k_proj, self.v_proj))
        scale = self.head**-0.5
        mixed = functional.scaled_dot_product_attention(query, key, value, scale=scale, is_causal=x.shape[1] > 1)
        return self.out_proj(mixed.transpose(1, 2).reshape(x.shape))  # type: ignore[no-any-return]


class Mlp(nn.Module):
    """Two layers, a token at a time."""

    def __init__(self, form: Form, weights: Weights, name: str) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[form.hidden_act]
        self.fc1, self.fc2 = Linear(weights, f"{name}.fc1"), Linear(weights, f"{name}.fc2")

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.activation(self.fc1(x)))  # type: ignore[no-any-return]


class Layer(nn.Module):
    """Attention, then the two layers, each with its norm and past it."""

    def __init__(self, form: Form, weights: Weights, name: str) -> None:
        super().__init__()
        self.self_attn, self.mlp = Attention(form, weights, f"{name}.self_attn"), Mlp(form, weights, f"{name}.mlp")
        self.layer_norm1, self.layer_norm2 = (
            Norm(weights, f"{name}.layer_norm{number}", form.layer_norm_eps) for number in (1, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))  # type: ignore[no-any-return]


class Layers(nn.Module):
    """All of them, one after the other."""

    def __init__(self, form: Form, weights: Weights) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            Layer(form, weights, f"encoder.layers.{number}") for number in range(form.num_hidden_layers)
        )


class PlainClip(nn.Module):
    """The text encoder, asked as CLIPTextModel is. config: as far as it is used; weights: by CLIPTextModel's names."""

    def __init__(self, form: Form, weights: Weights) -> None:
        super().__init__()
        self.config = form
        self.embeddings, self.encoder = Embeddings(weights), Layers(form, weights)
        self.final_layer_norm = Norm(weights, "final_layer_norm", form.layer_norm_eps)

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return self.final_layer_norm.weight.device

    def forward(self, ids: Tensor, attention_mask: None = None, output_hidden_states: bool = True) -> Read:
        """Of tokens `[texts, tokens]`; they are masked by nothing but their order."""
        states = [self.embeddings(ids)]
        for layer in self.encoder.layers:
            states.append(layer(states[-1]))
        return Read(self.final_layer_norm(states[-1]), tuple(states))


def read(folder: Path, dtype: torch.dtype) -> PlainClip | None:
    """The text encoder in a folder of transformers'; None where it is not of the plain kind, in whatever way. Raises
    WorldDamaged and UnsafeWeights for files that cannot be read."""
    form = form_of(read_json(folder / "config.json"))
    if form is None:
        return None
    found = [files.tensors(path) for path in files.weights(folder)]
    weights = {
        key.removeprefix(BEFORE): weight.to(dtype)
        for held in found
        for key, weight in held.items()
        if not key.endswith(NEEDLESS)
    }
    if {key: tuple(weight.shape) for key, weight in weights.items()} != dict(shapes_of(form)):
        return None
    return PlainClip(form, weights).eval()


def shapes_of(form: Form) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The names and shapes of its weights."""
    width, inner = form.hidden_size, form.intermediate_size
    yield "embeddings.token_embedding.weight", (form.vocab_size, width)
    yield "embeddings.position_embedding.weight", (form.max_position_embeddings, width)
    norms = ["final_layer_norm"]
    for number in range(form.num_hidden_layers):
        name = f"encoder.layers.{number}"
        norms += [f"{name}.layer_norm1", f"{name}.layer_norm2"]
        squares = {f"{name}.self_attn.{part}_proj": (width, width) for part in ("k", "v", "q", "out")}
        for layer, shape in {**squares, f"{name}.mlp.fc1": (inner, width), f"{name}.mlp.fc2": (width, inner)}.items():
            yield f"{layer}.weight", shape
            yield f"{layer}.bias", shape[:1]
    for norm in norms:
        yield f"{norm}.weight", (width,)
        yield f"{norm}.bias", (width,)


def form_of(config: Mapping[str, object]) -> Form | None:
    """A text encoder's form by its config, None where that says anything that is not plain."""
    if config.get("architectures") != ["CLIPTextModel"] or not config.keys() <= TELLS:
        return None
    try:
        form = msgspec.convert(config, Form)
    except msgspec.ValidationError:
        return None
    is_even = form.num_attention_heads > 0 and form.hidden_size % form.num_attention_heads == 0
    return form if is_even and form.hidden_act in ACTIVATIONS else None
