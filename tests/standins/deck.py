"""A stand-in for the show behind a deck: a real desk and real snapshots, a walker that goes round, answers at once."""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from installation.backstage import AnswerContent, Question, ShownScene, Status
from installation.control.controls import WALK_STEERING, LoopControls
from installation.control.desk import Trigger
from installation.control.steering import steered_by
from installation.ipc.questions import (
    DenoisingStep,
    DiffusionAnswer,
    FindAnswer,
    FindQuestion,
    WordsAnswer,
    WordsQuestion,
)
from installation.ipc.scene import PlaneScene
from installation.ports.deck import Server
from installation.render.questions import png, routed
from installation.venue import Doors
from latentworld.errors import LatentWorldError, ShowError
from latentworld.plane import Plane
from latentworld.prompts import Prompt
from standins.backstage import STATUS, Listened
from standins.messages import tick

PLANE = Plane(np.random.default_rng(7).normal(size=(3, 4, 4, 4)))
CORNERS = tuple((float(x), float(y), float(z)) for x, y, z in PLANE.corners)
STEPS = 8
SHUT = Doors(deck=0)
Chart = dict[str, Any]


def jpeg(number: int, side: int = 128) -> bytes:
    """A picture that is another one for every number."""
    y, x = np.mgrid[0:side, 0:side] / side
    waves = [128 + 100 * np.sin(6 * x + 4 * y * (k + 1) + 0.2 * number + k) for k in range(3)]
    out = io.BytesIO()
    Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8)).save(out, "JPEG")
    return out.getvalue()


def pooled(text: str) -> np.ndarray:
    """An embedding [32] of a text, the same each time."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return np.random.default_rng(seed).normal(size=32)


class Stagehand(Listened):
    """A Backstage; `step` makes a tick of two frames, `play` does what the show's pump does with presses."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "snapshots")
        for name, value in {
            "walk.speed": 1.5,
            "prompt.a": "a ringed planet",
            "walk.kind": "rift",
            "model.steps": 4,
        }.items():
            self.desk.tell_base(name, value)
        self.presses: list[Trigger] = []
        self.asked: list[Question] = []
        self.cancelled: list[Future[AnswerContent]] = []
        self.number, self.angle = 0, 0.0
        self.chart: Chart | None = None
        self.status_now = replace(
            STATUS, scene=ShownScene(plane=PlaneScene(corners=CORNERS), prompt=Prompt("a ringed planet"))
        )
        self.deaf = False  # answers no question

    def status(self) -> Status:
        return replace(self.status_now, frame=self.number)

    def ask(self, question: Question) -> Future[AnswerContent]:
        self.asked.append(question)
        future: Future[AnswerContent] = Future()
        if self.deaf:
            future.add_done_callback(lambda done: self.cancelled.append(done) if done.cancelled() else None)
        elif isinstance(question, WordsQuestion):
            future.set_result(self._words(question.texts, question.numbers))
        elif isinstance(question, FindQuestion):
            future.set_result(self._found(question.words))
        elif self.number == 0:
            future.set_exception(ShowError("there is no frame yet: ask again"))
        else:
            future.set_result(self._diffusion())
        return future

    def picture(self) -> tuple[int, bytes] | None:
        return (self.number, jpeg(self.number)) if self.number else None

    def atlas(self) -> Chart | None:
        return self.chart

    def takes(self) -> list[str]:
        there = sorted(path.stem for path in (self.folder.parent / "takes").glob("*.take"))
        return there or ["evening", "rehearsal"]

    # ---- what moves it

    def step(self) -> None:
        """A tick: the walker goes on round the middle of the cell."""
        angles = self.angle + 0.04 * np.arange(1, 3)
        self.angle = float(angles[-1])
        alpha, beta = 0.35 + 0.3 * np.cos(angles), 0.35 + 0.25 * np.sin(angles)
        unit = PLANE.unit(alpha, beta)
        first, self.number = self.number + 1, self.number + 2
        rates = (0.3 + np.abs(np.sin(3 * angles)) ** 6 * 2).tolist()
        places = tuple((x, y, z, 1.0) for x, y, z in unit.tolist())
        chart = {"alpha": tuple(alpha.tolist()), "beta": tuple(beta.tolist())}
        steering = steered_by(LoopControls.of(self.desk.effective("loop", self.clock())).walk)
        self.desk.tell(WALK_STEERING.name, steering)
        self.tick(tick(first, place=places, rate=tuple(rates), step=(0.01, 0.01), **chart))

    def play(self) -> None:
        """Do what was pressed."""
        for press in self.desk.collect("desk"):
            self.presses.append(press)
            with contextlib.suppress(LatentWorldError):  # one that is not there
                if job := self.snapshots.job(press):
                    job()()
        self.presses += self.desk.collect("loop")

    # ---- answers, as installation/render/questions.py gives them

    def _words(self, texts: tuple[str, ...], numbers: int) -> WordsAnswer:
        weights = {str(self.desk.shown("prompt.a") or ""): 1.0}
        for k in range(1, 7):
            if text := self.desk.value(f"word.{k}.text"):
                weights[str(text)] = float(self.desk.value(f"word.{k}.weight") or 0.0)  # type: ignore[arg-type]
        known = {text: pooled(text) for text in (*texts, *weights)}
        return routed(texts, known, tuple(weights.items()), numbers)

    def _found(self, words: str) -> FindAnswer:
        assert self.chart is not None
        unit = np.array(self.chart["unit"])
        goal = PLANE.unit(0.7, 0.3) if "cat" in words else PLANE.unit(0.2, 0.8)
        score = 0.2 + 0.1 * np.exp(-(((unit - goal) ** 2).sum(axis=1) / 0.3))
        best = int(np.where(np.array(self.chart["front"]), score, -1).argmax())
        alpha, beta = self.chart["alpha"][best], self.chart["beta"][best]
        return FindAnswer(words, alpha, beta, float(score[best]), float(score.max()), tuple(score.tolist()))

    def _diffusion(self) -> DiffusionAnswer:
        rng = np.random.default_rng(3)
        clean, noise = np.asarray(Image.open(io.BytesIO(jpeg(self.number, 64)))), rng.integers(0, 255, (64, 64, 3))
        kept = np.linspace(0.01, 0.95, STEPS)

        def blend(share: float) -> str:
            return png((share * clean + (1 - share) * noise).astype(np.uint8), 64)

        steps = tuple(
            DenoisingStep(
                999 - 120 * k, share, 1 - share, blend(share), blend(min(1.0, share + 0.3)), blend(share * 0.9)
            )
            for k, share in enumerate(kept.tolist())
        )
        return DiffusionAnswer(self.number, 0.25, 0.5, steps, blend(1.0), blend(1.0), (("a ringed planet", 1.0),))


def window_atlas(rows: int = 12, columns: int = 10) -> dict[str, Any]:
    """An atlas of a window, as installation/live/charts.py gives it."""
    alpha, beta = (
        part.ravel() for part in np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    )
    rate = 0.02 + np.exp(-(((alpha - beta) / 0.15) ** 2))
    return {
        "unit": PLANE.unit(alpha, beta).tolist(), "alpha": alpha.tolist(), "beta": beta.tolist(),
        "front": [True] * len(alpha), "rate": rate.tolist(), "label": (alpha > beta).astype(int).tolist(),
        "names": ["cat", "moon"], "radius": 1.0,
        "grid": [rows, columns],
    }  # fmt: skip


def globe_atlas(count: int = 3000) -> dict[str, Any]:
    """An atlas of the globe: places of equal area on a spiral (Gonzalez 2010)."""
    k = np.arange(count)
    z, turn = 1 - (2 * k + 1) / count, np.pi * (3 - np.sqrt(5)) * k
    unit = np.stack([np.sqrt(1 - z * z) * np.cos(turn), np.sqrt(1 - z * z) * np.sin(turn), z], axis=1)
    alpha, beta, front = PLANE.chart(unit)
    return {
        "unit": unit.tolist(), "alpha": alpha.tolist(), "beta": beta.tolist(), "front": front.tolist(), "rate": None,
        "label": (k % 3).tolist(), "names": ["cat", "moon", "sea"], "radius": 1.0, "grid": None, "level": None,
        "cells": None,
    }  # fmt: skip


def adaptive_atlas() -> dict[str, Any]:
    """An atlas of a window whose middle was refined once."""
    coarse, fine = np.linspace(0, 1, 9), np.linspace(0.25, 0.75, 9)
    places = [(a, b, level) for level, axis in enumerate((coarse, fine)) for a in axis for b in axis]
    alpha, beta, level = (np.array(part) for part in zip(*places, strict=True))
    return {
        "unit": PLANE.unit(alpha, beta).tolist(), "alpha": alpha.tolist(), "beta": beta.tolist(),
        "front": [True] * len(alpha), "rate": None, "label": level.astype(int).tolist(), "names": ["cat", "moon"],
        "radius": 1.0, "grid": None, "level": level.astype(int).tolist(), "cells": [[0.125, 0.125], [0.0625, 0.0625]],
    }  # fmt: skip


@contextlib.contextmanager
def serving(hand: Any, doors: Doors = SHUT, **more: Any) -> Iterator[Server]:
    """A deck of a stand-in, on any free port."""
    server = Server(hand, doors, **more)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def moving(hand: Stagehand, period: float = 0.08) -> Iterator[None]:
    """The stand-in as a show: it walks and does what is pressed, until left."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(period):
            hand.step()
            hand.play()

    thread = threading.Thread(target=run, name="stagehand", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def get(server: Server, path: str, **headers: str) -> httpx.Response:
    """A GET, straight to this machine."""
    return httpx.get(f"http://127.0.0.1:{server.port}{path}", headers=headers, trust_env=False)
