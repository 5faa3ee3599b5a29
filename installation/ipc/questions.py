"""Questions to the renderer about the running model, and their answers. See installation/render/questions.py."""

from __future__ import annotations

import msgspec

Point = tuple[float, float]
Weighted = tuple[tuple[str, float], ...]


class _Question(msgspec.Struct, frozen=True, tag_field="what"):
    """What may be asked."""


class WordsQuestion(_Question, frozen=True, tag="words"):
    """Where texts lie among each other and beside the prompt as it is mixed now. numbers: how many of the mixture's
    first numbers are wanted."""

    texts: tuple[str, ...]
    numbers: int = 16


class DiffusionQuestion(_Question, frozen=True, tag="diffusion"):
    """The newest frame, taken apart into its denoising steps by the faithful decoder. steps: how many, the decoder's
    own where None; size: pixels of a picture's longer side at most."""

    steps: int | None = None
    size: int = 128


class FindQuestion(_Question, frozen=True, tag="find"):
    """Where the atlas underneath shows pictures like a text. scores: whether those of all its places are wanted."""

    words: str
    scores: bool = False


class PictureQuestion(_Question, frozen=True, tag="picture"):
    """Make a picture a vertex of the plane that is shown. vertex: 0, 1 or 2; picture: a file's bytes, base64 in JSON;
    file: where the vertices are kept, chosen by the show in its own folder; seed: of the white noise in the picture's
    last steps."""

    vertex: int
    picture: bytes
    file: str
    seed: int = 0


class _Answer(msgspec.Struct, frozen=True, tag_field="what"):
    """What may be answered."""


class WordsAnswer(_Answer, frozen=True, tag="words"):
    """points: of each text on the principal plane, of which `spread` says what share of the variance lies along x and
    y; here: the mixture; cosines: how near each is to each, the mixture last; tensor: the mixture's first numbers, of
    `dimension`."""

    texts: tuple[str, ...]
    points: tuple[Point, ...]
    here: Point
    mixture: Weighted
    cosines: tuple[tuple[float, ...], ...]
    tensor: tuple[float, ...]
    dimension: int
    spread: Point


class DenoisingStep(msgspec.Struct, frozen=True):
    """time: of the schedule; alpha_bar: the picture's share of the variance there, noise: the rest of it; pictures as
    PNG in base64. latent: before the step; clean: the picture predicted there; noised: the finished latent with as much
    noise put back on."""

    time: float
    alpha_bar: float
    noise: float
    latent: str
    clean: str
    noised: str = ""


class DiffusionAnswer(_Answer, frozen=True, tag="diffusion"):
    """index, alpha, beta: of the frame; latent0: the finished latent, picture: the finished picture, PNG in base64;
    texts: of its prompt, with their weights."""

    index: int
    alpha: float | None
    beta: float | None
    steps: tuple[DenoisingStep, ...]
    latent0: str
    picture: str
    texts: Weighted


class FindAnswer(_Answer, frozen=True, tag="find"):
    """alpha, beta: of the likest place of the near side, for no other has them, and its score, -1..1; best: the score
    of the whole atlas; scores: of all its places, in its order, where they were asked for."""

    words: str
    alpha: float
    beta: float
    score: float
    best: float
    scores: tuple[float, ...] = ()


class PictureAnswer(_Answer, frozen=True, tag="picture"):
    """The picture is a vertex. floor: dB to which the autoencoder alone gives it back, reached: to which the vertex
    does; lag: how far its latent's neighbours correlate, 0 for white noise; notes: what a person should know; seconds:
    it took."""

    vertex: int
    floor: float
    reached: float
    lag: float
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
