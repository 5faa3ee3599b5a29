"""Words that are played: read beside the loop, faded, gone toward in a show and in a score, found in an atlas."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from patience import until
from standins import surveys
from standins.clock import Clock
from standins.studio import studio
from test_pilot_toward import ALL, SMALL
from test_render_live_pilot import PACE, PLANE, feature, flown, start

from installation.backstage import AnswerContent, Question
from installation.control.controls import LoopControls, RiftControls
from installation.control.desk import Desk
from installation.control.parameters import table
from installation.film import make, telemetry
from installation.ipc.jsonable import line
from installation.ipc.questions import FindAnswer, FindQuestion
from installation.render.live_pilot import RAYS, Course, LivePilot
from installation.render.questions import Moment
from installation.render.word_aim import WORDLESS, WordAim
from installation.render.word_find import found
from installation.rig import build
from installation.score.pilots import Goals
from installation.show.presses import Presses
from latentworld import globe, preset, texts
from latentworld.aims import Likeness
from latentworld.atlas import mesh, prior
from latentworld.atlas.sampling import Globe
from latentworld.errors import AtlasMismatch, ControlError, ShowError, WorldMismatch
from latentworld.pilot import PilotSpec
from latentworld.prompts import Prompt

TOWARD = PilotSpec(mode="toward", words="x")


class Reader:
    """An eye that reads texts when it may: of a text, a direction of its own."""

    def __init__(self) -> None:
        self.may, self.asked = threading.Event(), list[str]()
        self.may.set()

    def texts(self, words: Sequence[str]) -> torch.Tensor:
        assert self.may.wait(30)
        self.asked += words
        if "nothing known" in words:
            raise WorldMismatch("this eye knows no words")
        rows = [np.random.default_rng(sum(map(ord, text))).normal(size=8) for text in words]
        return torch.from_numpy(np.stack([row / np.linalg.norm(row) for row in rows]))


@dataclass
class Room:
    """As much of a studio as words need."""

    eye: Any
    seer: str = "one"


def heard(aim: WordAim, room: Room, elapsed: float = 0.1, **controls: Any) -> Likeness | None:
    aim(RiftControls(**controls), room, elapsed)  # type: ignore[arg-type]
    return aim.aim


def settled(aim: WordAim, room: Room, **controls: Any) -> Likeness:
    until(lambda: heard(aim, room, **controls) is not None and not aim.turned)
    assert aim.aim is not None
    return aim.aim


def test_words_are_read_beside_the_loop_and_the_walk_turns_at_once() -> None:
    eye, faults = Reader(), list[str]()
    room, aim = Room(eye), WordAim(PilotSpec(mode="toward", words="a cat"), faults.append)
    eye.may.clear()
    assert [heard(aim, room) for _ in range(3)] == [None] * 3  # it is not waited for
    eye.may.set()
    until(lambda: heard(aim, room) is not None)
    assert aim.turned
    cat = settled(aim, room)
    np.testing.assert_allclose(cat.text, eye.texts(["a cat"])[0])
    eye.may.clear()
    assert heard(aim, room, words="a  sea ") is cat  # on toward the text before, until the new one is read
    eye.may.set()
    until(lambda: heard(aim, room, words="a sea") is not cat)
    assert aim.turned
    np.testing.assert_allclose(settled(aim, room, words="a sea").text, eye.texts(["a sea"])[0])
    assert heard(aim, room, words="a cat") is not None  # read before: there in the same tick
    np.testing.assert_allclose(aim.aim.text, cat.text)  # type: ignore[union-attr]
    assert faults == []
    aim.close()


def test_texts_fade_into_each_other_in_their_time() -> None:
    eye = Reader()
    room, aim = Room(eye), WordAim(PilotSpec(mode="toward", words="a cat"), lambda _: None)
    cat, sea = (np.asarray(row) for row in eye.texts(["a cat", "a sea"]))
    settled(aim, room)
    turns, near = list[bool](), list[float]()
    until(lambda: bool(heard(aim, room, elapsed=0.25, words="a sea", fade=2.0)) and aim.turned)
    for _ in range(10):
        near.append(float(aim.aim.text @ sea))  # type: ignore[union-attr]
        heard(aim, room, elapsed=0.25, words="a sea", fade=2.0)
        turns.append(aim.turned)
    assert float(cat @ sea) < near[0] < near[3] < near[6] < 1.0
    assert near[8] == pytest.approx(1.0)
    assert turns.count(True) == 1  # when it is there


def test_what_cannot_be_gone_toward_is_said_once_and_changes_nothing() -> None:
    eye, faults = Reader(), list[str]()
    room, aim = Room(eye), WordAim(PilotSpec(mode="ride"), faults.append)
    assert heard(aim, room) is None
    assert faults == []  # nobody goes toward words
    for _ in range(3):
        assert heard(aim, room, mode="toward", words="  ") is None
    assert faults == [WORDLESS]
    cat = settled(aim, room, mode="toward", words="a cat")
    until(lambda: bool(heard(aim, room, mode="toward", words="nothing known")) and len(faults) == 2)
    for _ in range(3):
        assert heard(aim, room, mode="toward", words="nothing known") is cat
    assert faults[1:] == ["no way toward 'nothing known': this eye knows no words"]
    other = Room(Reader(), "another")
    assert heard(aim, other, mode="toward", words="a cat") is None  # its features say nothing to another eye
    assert settled(aim, other, mode="toward", words="a cat") is not cat


# ---- the pilot


def steered(courses: list[Course], spec: PilotSpec = TOWARD) -> LivePilot:
    return LivePilot(spec, PACE, 0.0, lambda: courses[0], lambda: 0.1)


def looking(aim: Likeness | None, seed: int, **spec: Any) -> np.ndarray:
    walk = start(seed, ease=115.0)
    course = [Course(PLANE, probe=feature, cost=0.2, here=feature(walk.unit[None], np.ones(1))[0], aim=aim)]  # type: ignore[arg-type]
    return flown(steered(course, PilotSpec(mode="toward", words="x", **spec)), walk, 260, course)[1]


def liked(aim: Likeness, units: np.ndarray) -> np.ndarray:
    every = np.sort(aim(np.asarray(feature(ALL, np.ones(len(ALL))), np.float64)))
    return np.searchsorted(every, aim(np.asarray(feature(units, np.ones(len(units))), np.float64))) / len(every)


def picture(seed: int) -> Likeness:
    seen = feature(globe.normalise(np.random.default_rng(seed).normal(size=3))[None], np.ones(1))[0]
    return Likeness(seen / np.linalg.norm(seen))


@pytest.mark.parametrize("seed", range(4))
def test_a_show_comes_to_what_is_wanted_or_leaves_it(seed: int) -> None:
    aim = picture(100 + seed)
    assert liked(aim, looking(aim, seed)[-100:]).mean() > 0.8
    assert liked(aim, looking(aim, seed, attraction=-1.0)[-100:]).mean() < 0.5


def test_without_words_it_holds_its_course() -> None:
    units = looking(None, 1)
    turns = np.linalg.norm(np.cross(units[2:] - units[1:-1], units[1:-1] - units[:-2]), axis=1)
    assert turns[20:].max() < 1e-4


@pytest.mark.parametrize("mapped", [False, True], ids=["scout", "map"])
def test_the_heading_bends_in_the_tick_in_which_the_words_have_turned(mapped: bool) -> None:
    atlas = surveys.survey(Globe(nside=16), lambda units, radii: surveys.Rendered(
        feature(units, radii).astype(np.float32), np.zeros((len(units), 1, 1, 3), np.uint8)), PLANE)  # fmt: skip
    land = prior.lookout(atlas, mesh.mesh(atlas)) if mapped else None
    walk = start(3, ease=115.0)
    aims = [picture(1), picture(2)]
    course = [Course(PLANE, probe=feature, cost=0.5, map=land, aim=aims[0])]  # type: ignore[arg-type]
    pilot = steered(course)
    walk, _ = flown(pilot, walk, 12, course)
    before = pilot.probes
    calm = pilot(walk, None, LoopControls(), 1).curvature
    bends = list[float]()
    for turned in (True, False):
        course[0] = replace(course[0], aim=aims[1], turned=turned)
        bends.append(pilot(walk, None, LoopControls(), 1).curvature)
    assert bends[0] != calm
    line(asdict(pilot.state))  # as it is saved: no number of another library's
    assert pilot.probes - before <= (0 if mapped else 2 * RAYS)


def test_a_share_of_rifts_is_played() -> None:
    differ = 0
    for seed in range(8):
        seen = list[float]()
        for share in (0.0, 1.0):
            walk = start(seed, ease=115.0)
            here = feature(walk.unit[None], np.ones(1))[0]
            course = [Course(PLANE, probe=feature, cost=0.2, here=here, aim=picture(5))]  # type: ignore[arg-type]
            seen.append(steered(course)(walk, None, LoopControls.of({"rift.share": share}), 1).curvature)
        differ += seen[0] != seen[1]
    assert differ >= 3


# ---- where an atlas shows them


def moment(mapped: bool = True, eye: Any = None, dimension: int = 8) -> Moment:
    own, plane = studio(), surveys.PLANE
    atlas = surveys.survey(Globe(nside=4), surveys.shown(lambda points: np.tile(points, 3)[:, :dimension] / 3))
    land = prior.lookout(atlas, mesh.mesh(atlas)) if mapped else None
    return Moment(replace(own, eye=eye or Reader()), Prompt("a cat"), 4, plane.unit(0.2, 0.3), 1.0, plane, land)


def find(question: FindQuestion, about: Moment) -> FindAnswer:
    return found(question, about.studio.eye, about.map)


def test_the_likest_place_of_the_near_side_is_found_and_all_scores_where_asked() -> None:
    about = moment()
    answer = find(FindQuestion(" a  cat", scores=True), about)
    atlas = about.map.atlas  # type: ignore[union-attr]
    score = np.asarray(atlas.features, np.float64) @ np.asarray(about.studio.eye.texts(["a cat"])[0])
    np.testing.assert_allclose(answer.scores, score, atol=1e-4)
    assert answer.words == "a cat"
    assert answer.best == pytest.approx(score.max())
    assert answer.score == pytest.approx(score[atlas.chart[2]].max(), abs=0.02)  # but for those beyond +-100
    at = about.plane.unit(answer.alpha, answer.beta)
    assert globe.angle(atlas.unit, at).min() < 1e-6
    assert find(FindQuestion("a cat"), about).scores == ()


@pytest.mark.parametrize(
    ("question", "about", "kind", "words"),
    [
        ("  ", {}, ControlError, "say what to find"),
        ("a cat", {"mapped": False}, ControlError, r"set pilot\.atlas"),
        ("a cat", {"dimension": 6}, AtlasMismatch, "an eye of 6 numbers"),
        ("nothing known", {}, WorldMismatch, "knows no words"),
    ],
)
def test_words_that_cannot_be_found_are_refused(
    question: str, about: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        find(FindQuestion(question), moment(**about))


# ---- pressed at the desk


class Desked:
    """Presses on a desk, with a renderer that answers when the test says so."""

    def __init__(self) -> None:
        self.desk, self.said, self.faults = Desk(table(), Clock()), list[str](), list[str]()
        self.asked = list[tuple[Question, Future[AnswerContent]]]()
        self.presses = Presses.__new__(Presses)
        presses: Any = self.presses
        presses._desk, presses._announcer, presses._find, presses._sought = self.desk, self, self.ask, None
        presses._asked, presses._unheard = [], 0

    def ask(self, question: Question) -> Future[AnswerContent]:
        self.asked.append((question, Future()))
        return self.asked[-1][1]

    def say(self, line: str) -> None:
        self.said.append(line)

    def fault(self, line: str) -> None:
        self.faults.append(line)


def test_goto_steers_for_the_place_and_says_where_and_how_alike() -> None:
    at = Desked()
    at.desk.press("goto", "a cat  with rings", "osc:me")
    at.presses.obey()
    assert at.asked[0][0] == FindQuestion("a cat with rings")
    assert at.desk.value("walk.auto") is True
    at.asked[0][1].set_result(FindAnswer("a cat with rings", 0.25, -0.5, 0.312, 0.33))
    at.presses.obey()
    assert at.desk.value("walk.position") == (0.25, -0.5)
    assert at.desk.value("walk.auto") is False
    assert at.desk.value("found") == "a cat with rings: alpha 0.25, beta -0.5, score 0.312"
    assert at.said == ["going to a cat with rings: alpha 0.25, beta -0.5, score 0.312"]


def test_another_goto_overtakes_the_one_before_and_faults_are_told() -> None:
    at = Desked()
    for words in ("a cat", "a sea"):
        at.desk.press("goto", words)
        at.presses.obey()
    assert at.asked[0][1].cancelled()
    at.asked[1][1].set_exception(ShowError("the renderer is not there"))
    at.desk.press("goto")
    at.presses.obey()
    at.presses.obey()
    assert at.faults == ["goto: the renderer is not there", "goto takes words, as 'a cat with rings'"]
    assert at.desk.value("walk.position") is None


# ---- in a score


def test_a_score_mixes_the_directions_of_its_texts() -> None:
    eye, goals = Reader(), Goals()
    cat, sea = (np.asarray(row) for row in eye.texts(["a cat", "a sea"]))
    alone = goals.aim("one", eye, (("a cat", 1.0),))  # type: ignore[arg-type]
    mixed = goals.aim("one", eye, (("a cat", 0.5), ("a sea", 0.5), ("", 0.2)))  # type: ignore[arg-type]
    assert alone is not None
    assert mixed is not None
    np.testing.assert_allclose(alone.text, cat)
    np.testing.assert_allclose(mixed.text, (cat + sea) / np.linalg.norm(cat + sea))
    assert goals.aim("one", eye, (("", 1.0),)) is None  # type: ignore[arg-type]
    assert eye.asked == ["a cat", "a sea", "a cat", "a sea"]  # each once by each eye


def test_a_film_s_score_turns_the_walk_to_another_text(tmp_path: Path) -> None:
    """The embedded world: the same until the cue, then elsewhere."""
    cue = '[[score]]\nat = 0.5\nset = { rift.words = "the sea", rift.mode = "toward" }'
    asked = preset.load("neutral", [*SMALL, "pilot.mode=toward", "pilot.words=a single flower", "pacing.speed=12"])
    make.film(asked, tmp_path / "plain")
    make.film(asked.changed(**texts.toml(cue)), tmp_path / "scored")
    one, other = (telemetry.read(tmp_path / name / "telemetry.csv").unit for name in ("plain", "scored"))
    np.testing.assert_allclose(one[:4], other[:4], atol=1e-9)
    assert globe.angle(one[-1], other[-1]) > 1e-4


def test_words_of_a_score_that_no_eye_reads_are_refused_before_the_film(tmp_path: Path) -> None:
    cue = '[[score]]\nat = 0.5\nset = { rift.words = "the sea", rift.mode = "toward" }'
    deaf = preset.load("analytic", ["walk.kind=rift", "pilot.mode=ride"]).changed(**texts.toml(cue))
    with pytest.raises(WorldMismatch, match="knows no words"):
        make.film(deaf, tmp_path / "deaf")
    late = preset.load("neutral", [*SMALL, "pilot.mode=toward"]).changed(**texts.toml(cue))
    assert build(late).pilot.aim is None  # its cue says the words
