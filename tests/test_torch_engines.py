"""Engines of torch: which one `auto` takes, what is kept between runs, and what happens where one cannot be built."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import warnings
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from standins.decoders import PROMPT, latents, world
from torch import Tensor, nn

from installation.render.builder import Order
from installation.render.process import LIVE, in_time
from latentworld.decoding import Cached, engines, faithful_decoder, torch_engines
from latentworld.device import choose
from latentworld.disk import cache_folder
from latentworld.errors import EngineFailed, Notice, OutOfMemory, PresetError
from latentworld.preset import Preset

pytestmark = [
    pytest.mark.usefixtures("own_cache"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),  # inductor's own
]


# --- auto --------------------------------------------------------------------------------------------------------


def test_auto_captures_few_pictures_and_compiles_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (24 * 10**9, 24 * 10**9))
    found: dict[str, object] = {"triton": True}
    monkeypatch.setattr("importlib.util.find_spec", found.get)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert {batch: choose(batch=batch).engine for batch in (1, 3, 4, 16)} == {
        1: "graphs", 3: "graphs", 4: "compile", 16: "compile",
    }  # fmt: skip
    assert choose().engine == "compile"  # a film's batch, of what is free
    found.clear()
    assert choose(batch=8).engine == "graphs"  # nothing to compile with
    assert choose(batch=8, engine="eager").engine == "eager"


@pytest.mark.parametrize("engine", ["graphs", "whole"])
def test_what_is_captured_needs_a_card(engine: str) -> None:
    with pytest.raises(PresetError, match=f"engine = '{engine}' .* needs a CUDA device, not cpu: use 'eager'"):
        choose("cpu", engine=engine)


# --- compiling ---------------------------------------------------------------------------------------------------


def _layer() -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.SiLU()).eval()


def test_a_ladder_of_batches_is_compiled_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past 8 shapes of one network torch runs eager without a word, unless it is told to go on."""
    made, module, compile = [], _layer(), torch.compile

    def counted(graph: Any, example: Any) -> Any:
        made.append(example[-1].shape)
        return graph.forward

    monkeypatch.setattr(torch, "compile", lambda module, **options: compile(module, backend=counted, **options))
    runs = {}
    for batch in range(1, 13):
        z = torch.randn(batch, 4, 8, 8)
        runs[batch] = engines.build("compile", module, (z,), "ladder")
        assert torch.allclose(runs[batch](z), module(z), atol=1e-6)
    assert len(made) == 12


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_what_was_compiled_is_kept_and_made_anew_for_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._dynamo.utils import counters
    from torch._inductor import codecache
    from torch._inductor.runtime import cache_dir_utils

    monkeypatch.setenv("LATENTWORLD_CACHE", str(tmp_path))
    # as torch itself sets it where its compiler was imported before
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", cache_dir_utils.default_cache_dir())
    module, z = _layer(), latents(2)

    def built() -> tuple[int, int]:
        torch.compiler.reset()
        counters.clear()
        assert torch.allclose(engines.build("compile", module, (z,), "kept")(z), module(z), atol=1e-5)
        return counters["inductor"]["fxgraph_cache_hit"], counters["inductor"]["fxgraph_cache_miss"]

    assert built() == (0, 1)
    assert any((tmp_path / "inductor").rglob("*"))
    assert built() == (1, 0)
    monkeypatch.setattr(codecache, "torch_key", lambda: b"another version")
    assert built() == (0, 1)


def test_a_folder_that_was_said_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, kept in (("/somewhere/else", "/somewhere/else"), (None, str(cache_folder() / "inductor"))):
        monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
        if said:
            monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", said)
        torch_engines.keep_what_is_compiled()
        assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == kept


# --- a whole picture in one graph --------------------------------------------------------------------------------


def traced(call: engines.Run, example: tuple[Tensor, ...], engine: str = "graphs") -> engines.Run:
    """As a CUDA graph is: what torch was asked for once, with the numbers that Python knew then; no Python after."""
    from torch.fx.experimental.proxy_tensor import make_fx

    with torch.no_grad():
        call(*example)
        graph = make_fx(call, _error_on_data_dependent_ops=False)(*example)  # times of a schedule are read
    return lambda *inputs: graph(*inputs)


@pytest.mark.parametrize("sampler", ["ddim", "euler", "dpmpp_2m", "unipc", "lcm", "tcd"])
def test_a_whole_picture_is_one_graph_of_latents_and_text(sampler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(torch_engines, "captured", lambda *given: calls.append(1) or traced(*given))
    plain = faithful_decoder(world(), steps=3, guidance=4.0, batch=2)
    usual = plain.variant(replace(plain.settings, sampler=sampler))
    whole = usual.variant(replace(usual.settings, engine="whole"))
    assert not whole.fits(PROMPT)
    whole.fit(PROMPT)
    assert (whole.warm, whole.fits(PROMPT), calls) == (True, True, [1])
    steps: list[int] = []
    for prompt in (PROMPT, replace(PROMPT, positive="the sea")):
        z = latents(3, seed=len(calls) + len(steps))
        seen = whole(z, prompt, lambda done, total: steps.append(done) or True)
        assert torch.allclose(seen, usual(z, prompt), atol=1e-5)
        assert torch.equal(seen[:1], whole(z[:1], prompt))
    assert steps == [1, 2, 3, 4, 5, 6] * 2  # two batches of three steps
    assert (calls, whole.profile.engine) == ([1], "whole")


def test_another_weight_is_another_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_engines, "captured", traced)
    whole = faithful_decoder(world(), steps=2, guidance=4.0, batch=1, engine="whole")
    other = whole.variant(replace(whole.settings, guidance=2.0))
    assert not torch.equal(whole(latents(1), PROMPT), other(latents(1), PROMPT))
    usual = faithful_decoder(world(), steps=2, guidance=2.0, batch=1)
    assert torch.allclose(other(latents(1), PROMPT), usual(latents(1), PROMPT), atol=1e-5)


def test_a_graph_goes_with_its_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A show makes a decoder a weight: a card's memory must not wait until cycles are collected."""
    monkeypatch.setattr(torch_engines, "captured", lambda call, example, engine: lambda *inputs: torch.rand(1, 3, 8, 8))
    whole = faithful_decoder(world(), steps=1, guidance=4.0, batch=1, engine="whole")
    gone = weakref.ref(whole)
    gc.collect()
    gc.disable()
    try:
        whole.fit(PROMPT)
        del whole
        assert gone() is None
    finally:
        gc.enable()


def test_where_nothing_is_captured_a_whole_picture_is_made_by_eager() -> None:
    whole = faithful_decoder(replace(world()), steps=2, guidance=4.0, batch=2, engine="whole")
    with pytest.warns(Notice, match="'whole' does not work here .*'eager' from now on"):
        pictures = whole(latents(2), PROMPT)
    assert torch.equal(pictures, faithful_decoder(world(), steps=2, guidance=4.0, batch=2)(latents(2), PROMPT))


# --- what cannot be built ----------------------------------------------------------------------------------------


def refusing(engine: str, error: BaseException) -> Callable[..., engines.Run]:
    """Engines of which one cannot be built here."""

    def build(name: str, module: Any, example: tuple[Tensor, ...], key: str) -> engines.Run:
        if name == engine:
            with torch_engines.failing(engine):
                raise error
        return engines.build(name, module, example, key)

    return build


@pytest.mark.parametrize("engine", ["compile", "graphs"])
def test_an_engine_that_cannot_be_built_gives_way_to_eager_said_once(engine: str) -> None:
    own = replace(world())  # its networks are nobody else's
    decoder = faithful_decoder(
        own, steps=2, guidance=4.0, batch=2, engine=engine,
        build=refusing(engine, RuntimeError("no kernel image is available\nfor this card")),
    )  # fmt: skip
    with pytest.warns(Notice, match=r"\(no kernel image is available\).*'eager' from now on") as said:
        pictures = Cached(decoder)(latents(2), PROMPT)
    assert len(said) == 1
    assert torch.equal(pictures, faithful_decoder(own, steps=2, guidance=4.0, batch=2)(latents(2), PROMPT))
    assert (decoder.settings.engine, decoder.profile.engine) == (engine, "eager")  # what was asked, what makes them
    with warnings.catch_warnings():
        warnings.simplefilter("error", Notice)
        other = decoder.variant(replace(decoder.settings, batch=1))
        assert other.profile.engine == "eager"
        other.fit(PROMPT)
        other(latents(1), PROMPT)


def test_it_gives_way_where_an_engine_is_fitted_to_a_text_too() -> None:
    decoder = faithful_decoder(replace(world()), steps=1, batch=1, engine="compile",
                               build=refusing("compile", OSError("no compiler")))  # fmt: skip
    with pytest.warns(Notice, match="no compiler"):
        decoder.fit(PROMPT)
    assert decoder.profile.engine == "eager"


def test_a_lack_of_memory_is_no_failing_engine() -> None:
    with pytest.raises(torch.OutOfMemoryError), torch_engines.failing("compile"):
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(EngineFailed, match="use 'eager'"), torch_engines.failing("graphs"):
        raise RuntimeError


def test_a_capture_that_fails_is_a_failing_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def device(place: object) -> Iterator[None]:
        yield

    def stream(place: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(torch.cuda, "Stream", stream)
    with pytest.raises(EngineFailed, match="engine = 'graphs' does not work here"):
        engines.build("graphs", nn.Identity(), (latents(1),), "key")


def test_where_one_picture_does_not_fit_what_would_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(engine: str, module: Any, example: tuple[Tensor, ...], key: str) -> engines.Run:
        raise torch.OutOfMemoryError("CUDA out of memory (injected)")

    decoder = faithful_decoder(replace(world()), steps=1, batch=4, build=starved)
    with pytest.raises(OutOfMemory, match="choose a smaller size, dtype float16, or a smaller world"):
        decoder(latents(1), PROMPT)
    assert decoder.settings.batch == 1
    for free, words in ((10**7, r"0\.0 GB are free: 32x32 should"), (10**4, "no size is sure to")):
        monkeypatch.setattr("latentworld.decoding.foresight.free_bytes", lambda place, free=free: free)
        with pytest.raises(OutOfMemory, match=words) as said:
            decoder(latents(1), PROMPT)
        assert "\n" not in str(said.value)


# --- what a show plays -------------------------------------------------------------------------------------------


@dataclass
class _Builder:
    """Builds at once; a picture of each kind takes so long."""

    seconds: dict[str, float]
    ordered: list[Order]

    def build(self, order: Order, studio: Any, prompt: object) -> tuple[Any, float]:
        self.ordered.append(order)
        return replace_settings(studio, order.settings), self.seconds[order.settings.kind]


def replace_settings(studio: Any, settings: Any) -> Any:
    return SimpleNamespace(**{**vars(studio), "settings": settings})


@pytest.mark.parametrize(
    ("decoder", "rate", "faithful", "scout", "kind"),
    [
        ("auto", 0.0, 0.5 / LIVE, 0.01, "faithful"),  # in time
        ("auto", 0.0, 1.0, 0.01, "scout"),
        ("auto", 0.5, 1.0, 0.01, "faithful"),  # a slow show is asked for
        ("auto", 60.0, 0.5 / LIVE, 0.01, "scout"),
        ("auto", 0.0, 1.0, 1.5, "faithful"),  # nothing is gained
        ("faithful", 0.0, 1.0, 0.01, "faithful"),  # as it is asked for
    ],
)
def test_auto_plays_what_comes_in_time(decoder: str, rate: float, faithful: float, scout: float, kind: str) -> None:
    preset = Preset().changed(show={"decoder": decoder, "rate": rate})
    own = {name: SimpleDecoder(name) for name in ("faithful", "scout")}
    studio = SimpleNamespace(settings=own["faithful"], own=own, preset=preset, prompt=PROMPT)
    builder, said = _Builder({"faithful": faithful, "scout": scout}, []), []
    found, seconds = in_time(preset, (studio, faithful), builder, said.append)  # type: ignore[arg-type]
    assert (found.settings.kind, seconds) == (kind, {"faithful": faithful, "scout": scout}[kind])
    assert [order.settings.batch for order in builder.ordered] in ([], [1])
    assert len(said) == (kind == "scout")
    assert np.isfinite(seconds)


@dataclass(frozen=True)
class SimpleDecoder:
    """As much of settings as is asked for."""

    kind: str
    batch: int = 4
