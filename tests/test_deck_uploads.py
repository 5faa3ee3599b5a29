"""Pictures over the deck: bounded, behind the door, decoded by the renderer, adopted while the show goes on."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from standins.deck import Stagehand, serving
from standins.studio import JOURNEY, studio
from test_render_asks import Answers
from test_render_director import Play

from installation.backstage import AnswerContent
from installation.ipc.encoding import decoded, encoded
from installation.ipc.messages import Ask, Message
from installation.ipc.questions import PictureAnswer, PictureQuestion
from installation.ports.deck import Server, uploads
from installation.render.plane_control import PlaneControlState
from installation.render.questions import Moment, Questions
from installation.render.saved_state import read
from installation.venue import Doors
from latentworld import vertices
from latentworld.errors import ShowError

ANSWER = PictureAnswer(1, 30.0, 29.9, 0.01, ("a note",), 3.2)


def noise(seed: int = 0, side: int = 40) -> bytes:
    buffer = io.BytesIO()
    small = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    Image.fromarray(small).resize((side, side)).save(buffer, "PNG")
    return buffer.getvalue()


class Given(Stagehand):
    """A show that takes pictures."""

    fault: Exception | None = None

    def give(self, vertex: int, picture: bytes) -> Future[AnswerContent]:
        self.got = (vertex, picture)
        future: Future[AnswerContent] = Future()
        if self.fault is None:
            future.set_result(replace_vertex(vertex))
        else:
            future.set_exception(self.fault)
        return future


def replace_vertex(vertex: int) -> PictureAnswer:
    return PictureAnswer(vertex, 30.0, 29.9, 0.01, ("a note",), 3.2)


@pytest.fixture
def given(tmp_path: Path) -> Given:
    return Given(tmp_path)


@pytest.fixture
def deck(given: Given) -> Iterator[Server]:
    with serving(given, Doors(deck=0)) as server:
        yield server


def put(
    server: Server, path: str = "vertex/1", data: bytes = b"", kind: str = "image/png", **more: str
) -> httpx.Response:
    headers = {"content-type": kind, **more}
    return httpx.put(f"http://127.0.0.1:{server.port}/{path}", content=data, headers=headers, timeout=30)


def test_a_picture_reaches_the_show(deck: Server, given: Given) -> None:
    reply = put(deck, data=noise())
    assert reply.status_code == 200
    assert reply.json()["answer"]["reached"] == 29.9
    assert given.got == (1, noise())


def test_bounds_of_size_and_kind_and_number(deck: Server, given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LARGEST", 100)
    assert put(deck, data=noise()).status_code == 413
    assert put(deck, data=b"x", kind="text/html").status_code == 415
    assert put(deck, data=b"x", kind="image/svg+xml").status_code == 415
    assert put(deck, "vertex/3", b"x").status_code == 404
    assert put(deck, "vertex/../etc/passwd", b"x").status_code in (404, 405)
    assert httpx.get(f"http://127.0.0.1:{deck.port}/vertex/1").status_code == 405

    def endless() -> Iterator[bytes]:
        yield from [b"x" * 60] * 3

    chunked = httpx.put(
        f"http://127.0.0.1:{deck.port}/vertex/1", content=endless(), headers={"content-type": "image/png"}
    )
    assert chunked.status_code == 413
    assert not hasattr(given, "got")


def test_other_pages_and_strangers_send_none(given: Given) -> None:
    with serving(given, Doors(deck=0, open=True)) as server:
        assert put(server, data=noise()).status_code == 401
        token = {"authorization": f"Bearer {server.token}"}
        assert put(server, data=noise(), origin="http://evil.example", **token).status_code == 403
        assert put(server, data=noise(), host="evil.example", **token).status_code == 400
        assert not hasattr(given, "got")
        assert put(server, data=noise(), **token).status_code == 200


def test_what_the_renderer_refuses_is_told(deck: Server, given: Given) -> None:
    given.fault = ShowError("the picture is no picture: give one of PNG")
    reply = put(deck, data=b"words")
    assert (reply.status_code, reply.json()["fault"]) == (422, "the picture is no picture: give one of PNG")


def test_messages_carry_the_bytes() -> None:
    message: Message = Ask(3, PictureQuestion(1, noise(), "/venue/vertices/a.safetensors", seed=1))
    assert decoded(encoded(message)) == message


def made(tmp_path: Path, data: bytes, vertex: int = 1) -> tuple[Answers, list[str]]:
    """What the renderer's questions make of a picture."""
    answers, adopted = Answers(), list[str]()
    own = studio()
    plane = own.plane
    moment = Moment(own, own.prompt, 12, plane.unit(0.2, 0.3), 1.0, plane)
    asks = Questions(lambda: moment, answers, adopted.append)
    asks.ask(5, PictureQuestion(vertex, data, str(tmp_path / "vertices" / "a.safetensors")))
    answers.wait(asks=asks)
    asks.close()
    return answers, adopted


def test_the_renderer_inverts_it_a_call_a_tick(tmp_path: Path) -> None:
    answers, adopted = made(tmp_path, noise())
    content = answers.got[0].content
    assert isinstance(content, PictureAnswer), answers.got
    assert abs(content.floor - content.reached) < 0.5
    (file,) = adopted
    trio = vertices.read(file)
    assert trio.pictures == [1]
    np.testing.assert_array_equal(trio.vertices[[0, 2]], studio().plane.vertices[[0, 2]])


@pytest.mark.parametrize(
    ("data", "why"), [(b"words", "is no picture"), (b"", "picture"), (noise(side=8)[:90], "picture")]
)
def test_what_is_no_picture_is_an_answer_and_no_more(tmp_path: Path, data: bytes, why: str) -> None:
    answers, adopted = made(tmp_path, data)
    assert why in answers.got[0].fault
    assert adopted == []
    assert not (tmp_path / "vertices").exists()


def test_too_many_pixels_are_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(buffer, "PNG")
    answers, _ = made(tmp_path, buffer.getvalue())
    assert "million pixels" in answers.got[0].fault
    answers, _ = made(tmp_path, noise(), vertex=3)
    assert "no vertex z3" in answers.got[0].fault


def test_the_loop_adopts_it_and_another_renderer_goes_on_there(tmp_path: Path) -> None:
    made(tmp_path, noise())
    file = tmp_path / "vertices" / "a.safetensors"
    faithful = JOURNEY.changed(show={"decoder": "faithful"})
    play = Play(journey=faithful, studio=studio().variant(studio().own["faithful"]))
    before = play.ticks(1, {"walk.position": None})[-1]
    play.director.adopt(str(file))
    after = play.ticks(2)[-1]
    assert play.faults == []
    own = play.director.scene_control.model.studio
    assert own.settings.hold is not None
    assert own.settings.hold.file == str(file)
    assert play.director.description().plane.vertices == str(file)
    np.testing.assert_array_equal(play.director.scene_control.scene.plane.vertices, vertices.read(file).vertices)
    assert after.index > before.index
    state = read(after.resume, play.faults.append)
    assert state.plane == PlaneControlState(str(file), None)
    assert state.plane.of(faithful).plane.vertices == str(file)
    assert state.plane.of(faithful.changed(plane={"vertices": "another"})).plane.vertices == "another"
    assert play.ticks(1, {"seed.vertex.1": 9})[-1].resume  # a seed that is set goes before the picture
    assert play.director.description().plane.seeds == (None, 9, None)


def test_a_second_picture_leaves_the_first_one_held(tmp_path: Path) -> None:
    made(tmp_path, noise())
    file = str(tmp_path / "vertices" / "a.safetensors")
    own = studio()
    trio = vertices.read(file)
    from installation.render.vertex_maker import carried
    from latentworld.plane import Plane

    preset = own.preset.changed(plane={"vertices": file})
    places = carried(Plane(trio.vertices), replace(own, preset=preset))
    assert [place.said.get("kind") for place in places] == ["seed", "picture", "seed"]
    assert places[1].details is not None
