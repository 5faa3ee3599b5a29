"""What ports see of a show (status, pictures, questions, ticks, takes), what is played, and doors that stay shut."""

from __future__ import annotations

import io
import os
import signal
import socket
from pathlib import Path

import pytest
from patience import until
from PIL import Image
from standins.show import heard_by, put_on, venue
from standins.show import preset as standin_preset
from standins.stores import surveyed

from installation.atlas import chart
from installation.control.controls import LoopControls
from installation.control.desk import Desk
from installation.control.parameters import table
from installation.control.steering import steered_by
from installation.ipc.messages import Answer, Ask, Cancel, ControlChanges, Message
from installation.ipc.questions import WordsAnswer, WordsQuestion
from installation.show import recordings
from installation.show.control_feed import ControlFeed
from installation.show.requests import MOST, Requests
from installation.venue import Doors
from latentworld.errors import ControlError, PortError, ShowError
from latentworld.preset import load


@pytest.fixture(scope="module")
def performed(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """One show for all tests that do not hurt it: the show, what it said, its folder."""
    folder = tmp_path_factory.mktemp("show")
    with put_on(folder) as (show, said):
        until(lambda: show.status().renderer == "running" and show.status().fresh < 10)
        yield show, said, folder


def test_pictures_are_jpegs_of_the_newest_frame(performed) -> None:  # type: ignore[no-untyped-def]
    show, _, _ = performed
    first, data = until(show.picture)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("JPEG", (64, 64))
    until(lambda: show.picture()[0] > first)


def test_ticks_are_heard_until_one_lets_go_and_a_listener_that_fails_hurts_nobody(performed) -> None:  # type: ignore[no-untyped-def]
    show, _, _ = performed
    heard: list[int] = []

    def failing(message: object) -> None:
        raise ZeroDivisionError

    show.watch(failing)
    end = show.watch(lambda tick: heard.extend(tick.index))
    until(lambda: len(heard) > 10)
    end()
    assert len(show.callbacks) == 0
    frame = show.status().frame
    until(lambda: show.status().frame > frame + 10)
    assert heard[-1] <= frame + 4


def test_what_is_played_reaches_the_renderer_with_its_stamp(performed) -> None:  # type: ignore[no-untyped-def]
    show, _, _ = performed
    show.desk.set("walk.speed", 5.0, "test")
    until(lambda: heard_by(show)["values"].get("walk.speed") == 5.0)
    until(lambda: show.status().latency[0] > 0)
    assert show.desk.value("rift.value") == 1.0  # told by ticks


def test_a_question_that_means_nothing_fails_in_words(performed) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ShowError, match="means nothing"):
        performed[0].ask(WordsQuestion(("nonsense",))).result(30)


def test_panic_brings_everything_back_and_stops_what_moves(performed) -> None:  # type: ignore[no-untyped-def]
    show, said, folder = performed
    desk = show.desk
    for name, value in {"prompt.mix": 1.0, "out.blackout": True, "lfo.1.depth": 0.5, "out.gamma": 2.0}.items():
        desk.set(name, value, "test")
    desk.press("panic", source="test")
    until(lambda: said.of("panic"))
    assert desk.value("prompt.a") == load(venue(folder).safe).prompt.positive
    assert (desk.value("prompt.mix"), desk.value("out.blackout"), desk.value("lfo.1.depth")) == (0.0, False, 0.0)
    assert desk.value("out.gamma") == 2.0  # the wall's
    until(lambda: heard_by(show)["values"].get("walk.kind") == "orbit")


def test_a_snapshot_that_is_not_there_is_a_line(performed) -> None:  # type: ignore[no-untyped-def]
    show, said, folder = performed
    show.desk.press("snapshot.recall", "nowhere")
    assert until(lambda: said.of("no snapshot 'nowhere'"))
    show.desk.press("snapshot.save", "dusk")
    assert until(lambda: (folder / "snapshots" / "dusk.json").is_file())
    assert show.snapshots.names() == ["dusk"]


def test_a_take_is_recorded_and_replayed_by_name_alone(performed) -> None:  # type: ignore[no-untyped-def]
    from installation.takes import read

    show, said, folder = performed
    show.desk.set("record.take", True, "test")
    until(lambda: said.of("recording the take"))
    show.desk.set("walk.speed", 7.0, "test")
    frame = show.status().frame
    until(lambda: show.status().frame > frame + 20)
    with pytest.raises(ControlError, match="is being recorded: end that first"):
        show.shelf("takes").delete(show.takes()[0])
    show.desk.set("record.take", False, "test")
    until(lambda: said.of("recorded the take"))
    (recorded,) = show.takes()
    name = "first night"
    show.shelf("takes").rename(recorded, name)
    assert show.takes() == [name]
    assert len(read(folder / "takes" / f"{name}.take").shots.index) > 10
    show.desk.press("replay", name)
    until(lambda: said.of(f"following {(folder / 'takes').resolve()}"))
    for bad in ("../state.json", "/etc/passwd", "nothing"):
        show.desk.press("replay", bad)
        until(lambda bad=bad: said.of(f"no take {bad!r}"))


def test_a_video_is_an_output_that_shows_what_the_wall_shows(performed) -> None:  # type: ignore[no-untyped-def]
    show, said, folder = performed
    show.desk.set("out.freeze", True, "test")
    show.desk.set("record.video", True, "test")
    until(lambda: said.of("recording the video"))
    until(lambda: show.recordings.video and show.recordings.video.alive)
    show.desk.set("record.video", False, "test")
    until(lambda: said.of("recorded the video"))
    show.desk.set("out.freeze", False, "test")
    (made,) = (folder / "video").iterdir()
    assert made.read_text().endswith("True")


def test_a_video_that_dies_switches_itself_off(performed) -> None:  # type: ignore[no-untyped-def]
    show, said, _ = performed
    show.desk.set("record.video", True, "test")
    video = until(lambda: show.recordings.video)
    os.kill(video.pid, signal.SIGKILL)
    until(lambda: show.desk.value("record.video") is False)
    until(lambda: said.of("the video ended by SIGKILL"))
    assert show.recordings.video is None


def test_a_video_that_hangs_is_told(performed, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    show, said, _ = performed
    monkeypatch.setattr(recordings, "SILENCE", 0.5)
    monkeypatch.setattr(recordings, "OPENING", 0.5)
    show.desk.set("record.video", True, "test")
    video = until(lambda: show.recordings.video)
    said.clear()
    os.kill(video.pid, signal.SIGSTOP)
    until(lambda: said.of("the video hangs"))
    told, frame = len(said), show.status().frame
    until(lambda: show.status().frame > frame + 100)
    assert len(said) == told, "it is no news a second time"
    os.kill(video.pid, signal.SIGCONT)
    show.desk.set("record.video", False, "test")
    until(lambda: said.of("recorded the video"))


def test_somebody_has_the_renderer_started_again(performed) -> None:  # type: ignore[no-untyped-def]
    show, said, _ = performed
    before, frame = show.status().restarts, show.status().frame
    show.restart()
    until(lambda: said.of("started again, as somebody asked"))
    until(lambda: show.status().restarts == before + 1 and show.status().renderer == "running")
    assert show.status().frame >= frame  # it goes on where it was
    assert any("as somebody asked" in line.text for line in until(lambda: show.log(50)))


def test_memory_of_every_process_is_known(performed) -> None:  # type: ignore[no-untyped-def]
    show, _, _ = performed
    memory = until(lambda: set(show.status().memory) >= {"show", "renderer", "stage"} and show.status().memory)
    assert all(memory[name] > 1_000_000 for name in ("show", "renderer", "stage"))


def test_a_full_disk_ends_recordings_and_nothing_else(performed, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    show, said, _ = performed
    show.desk.set("record.take", True, "test")
    until(lambda: show.recordings._take)
    monkeypatch.setattr(show.recordings, "_free", lambda: 0)
    show.recordings.spare()
    until(lambda: show.recordings._take is None)
    assert said.of("the recording ends")


# ---- alone


def test_where_a_show_ran_before_a_port_in_use_and_a_missing_library_are_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from installation.show import ports

    def missing(self: object) -> object:
        raise ModuleNotFoundError("no module named rtmidi")

    monkeypatch.setattr(ports.Ports, "_midi", missing)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        place = venue(tmp_path, Doors(osc=port, deck=None)).model_copy(update={"midi": True})
        with pytest.raises(PortError, match=str(port)), put_on(tmp_path, place=place):
            pass
        with put_on(tmp_path):
            pass
        with put_on(tmp_path, place=place) as (show, said):
            assert said.of("no midi: no module named rtmidi")
            assert said.of("no osc: ")
            assert said.of(str(port))
            until(lambda: show.status().renderer == "running")


def test_an_open_port_says_where_it_is(tmp_path: Path) -> None:
    with put_on(tmp_path, place=venue(tmp_path, Doors(osc=0, deck=None))) as (_, said):
        assert said.of("osc: udp port ")
        assert not said.of("port 0 ")


def test_the_atlas_underneath_as_plain_values(tmp_path: Path) -> None:
    import json

    folder = surveyed(tmp_path / "atlas")
    store = next(folder.glob("*.zarr"), folder)
    told = chart.chart(store)
    n = len(told["alpha"])
    assert n > 3
    assert [len(told[key]) for key in ("unit", "beta", "front", "level")] == [n] * 4
    step = [told["alpha"][-1] / (told["grid"][0] - 1), told["beta"][1] - told["beta"][0]]
    assert told["cells"][0] == pytest.approx(step, rel=1e-4)  # places are told in six digits
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    bad = standin_preset().model_copy(update={"pilot": standin_preset().pilot.model_copy(update={"atlas": "nowhere"})})
    with put_on(tmp_path / "show", performed=bad) as (show, said):
        until(lambda: said.of("no atlas underneath"))
        assert show.atlas() is None


class Line:
    """A wire that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Message, bool]] = []
        self.dropped = 0

    def send(self, message: Message, droppable: bool = False) -> None:
        self.sent.append((message, droppable))

    @property
    def changes(self) -> list[ControlChanges]:
        return [message for message, _ in self.sent if isinstance(message, ControlChanges)]


def test_questions_time_out_are_lost_cancelled_and_never_too_many() -> None:
    now = [0.0]
    asks, line = Requests(lambda: now[0], patience=10.0), Line()
    questions = [WordsQuestion((str(i),)) for i in range(MOST)]
    futures = [asks.ask(line, question) for question in questions]  # type: ignore[arg-type]
    assert [message for message, _ in line.sent] == [Ask(i + 1, question) for i, question in enumerate(questions)]
    with pytest.raises(ShowError, match="wait for their answers"):
        asks.ask(line, questions[0]).result(0)  # type: ignore[arg-type]
    one, other = (WordsAnswer((text,), (), (0.0, 0.0), (), (), (), 0, (0.0, 0.0)) for text in "ab")
    asks.answered(Answer(1, one))
    asks.answered(Answer(1, other))
    assert futures[0].result(0) == one
    assert futures[1].cancel()
    assert line.sent[-1] == (Cancel(2), False)
    asks.answered(Answer(2, one))
    asks.answered(Answer(4, fault="no world"))
    with pytest.raises(ShowError, match="no world"):
        futures[3].result(0)
    now[0] = 10.0
    asks.expire()
    with pytest.raises(ShowError, match="no answer within 10 s"):
        futures[2].result(0)
    last = asks.ask(line, questions[0])  # type: ignore[arg-type]
    asks.lost()
    with pytest.raises(ShowError, match="lost"):
        last.result(0)
    with pytest.raises(ShowError, match="not there"):
        asks.ask(None, questions[0]).result(0)


def test_only_what_changed_is_sent_and_all_of_it_to_a_new_child_or_after_a_loss() -> None:
    desk, line = Desk(table(), lambda: 0.0), Line()
    feed = ControlFeed(desk, "loop")
    feed.pass_on(line, 0.0)  # type: ignore[arg-type]
    everything = line.changes[0].values
    assert everything == desk.effective("loop", 0.0)
    feed.pass_on(line, 1.0)  # type: ignore[arg-type]
    assert len(line.sent) == 1
    assert line.sent[0][1]  # without a press it may be dropped
    desk.set("walk.speed", 2.0)
    desk.press("walk.jump", None)
    feed.pass_on(line, 2.0)  # type: ignore[arg-type]
    assert line.sent[1] == (ControlChanges({"walk.speed": 2.0}, (("walk.jump", None),), desk.stamp), False)
    line.dropped = 1
    feed.pass_on(line, 3.0)  # type: ignore[arg-type]
    assert line.changes[2].values == {**everything, "walk.speed": 2.0}
    other = Line()
    feed.withhold(other, 4.0)  # type: ignore[arg-type]
    feed.pass_on(other, 4.0)  # type: ignore[arg-type]
    assert other.sent == []
    desk.set("prompt.mix", 0.5)
    feed.pass_on(other, 5.0)  # type: ignore[arg-type]
    assert other.changes[0].values == {"prompt.mix": 0.5}


def test_a_new_renderer_hears_who_steers() -> None:
    desk = Desk(table(), lambda: 0.0)
    feed = ControlFeed(desk, "loop")
    for name, value, wanted in (
        ("walk.position", (0.5, 0.5), "place"), ("walk.auto", True, "autopilot"), ("walk.heading", 0.5, "hand"),
        ("walk.heading", 0.0, "hand"),
    ):  # fmt: skip
        desk.set(name, value)
        line = Line()
        feed.pass_on(line, 0.0)  # type: ignore[arg-type]
        assert steered_by(LoopControls.of(line.changes[0].values).walk) == wanted
