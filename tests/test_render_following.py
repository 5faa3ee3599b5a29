"""Takes that the renderer follows, frame by frame, and leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from standins.studio import JOURNEY, studio
from test_render_director import Metronome, Play, places

from installation import takes
from installation.ipc.messages import Ready, SceneChange, Tick
from latentworld import preset


def recorded(path: Path, play: Play, ready: Ready) -> takes.Take:
    recorder = takes.Recorder(path, takes.header(ready, {}, "2026-01-01T20:00:00"))
    for message in play.messages:
        match message:
            case SceneChange():
                recorder.scene(message)
            case Tick():
                recorder.tick(message)
    recorder.close()
    return takes.read(path)


def test_a_take_is_followed_frame_by_frame_and_then_the_walk_goes_on(tmp_path: Path) -> None:
    first = Play(journey=JOURNEY, studio=studio())
    first.ticks(6, {"prompt.fade": 0.5})
    first.ticks(8, {"seed.vertex.1": 9, "prompt.b": "a cat", "prompt.mix": 0.3, "prompt.fade": 0.5, "walk.speed": 9.0})
    ready = Ready(None, studio().world, studio().seer, preset.dump(studio().preset), (64, 64))
    take = recorded(tmp_path / "one.take", first, ready)
    second = Play(journey=JOURNEY, studio=studio())
    second.ticks(3)
    second.director.replay.begin(take)
    played = second.ticks(len(take.shots), {"walk.speed": 1.0, "prompt.a": "ignored meanwhile"})
    np.testing.assert_array_equal(places(played), places(first.told(Tick)))
    assert [tick.digest for tick in played] == [tick.digest for tick in first.told(Tick)]
    assert [tick.index[0] for tick in played] == list(range(3, 3 + len(played)))
    assert second.scenes()[1].walk.steering == "replay"
    after = second.ticks(3)
    assert second.director.replay.replay is None
    gap = np.linalg.norm(np.diff(np.concatenate([places(played), places(after)])[:, :3], axis=0), axis=1)
    assert gap[len(played) - 1] < 0.1  # it goes on from the take's last place
    assert second.faults == []


def walked(path: Path, ticks: int) -> tuple[Play, takes.Take]:
    """A walk of so many ticks of another machine, and its take."""
    first = Play(journey=JOURNEY, studio=studio())
    first.ticks(ticks)
    ready = Ready(None, "w", "s", preset.dump(studio().preset), (64, 64))
    return first, recorded(path, first, ready)


def test_a_take_is_left_in_its_middle(tmp_path: Path) -> None:
    _, take = walked(tmp_path / "one.take", 12)
    second = Play(journey=JOURNEY, studio=studio())
    second.director.replay.begin(take)
    assert second.clock.rate == pytest.approx(1 / take.track.period)
    played = second.ticks(5)
    second.director.replay.end()
    after = second.ticks(4)
    assert second.clock.rate == 0.0
    assert 0 < np.linalg.norm(places(after)[0, :3] - places(played)[-1, :3]) < 0.1
    assert json.loads(played[2].resume or "")["walk"][
        "free"
    ]  # a renderer that dies meanwhile goes on freely from there


def test_a_slower_machine_keeps_to_the_takes_time(tmp_path: Path) -> None:
    first, take = walked(tmp_path / "one.take", 17)
    slow = Play(journey=JOURNEY, studio=studio())
    slow.clock.period = 2 * Metronome.period
    slow.director.replay.begin(take)
    played = slow.ticks(8)
    np.testing.assert_allclose(places(played), places(first.told(Tick))[:16:2], atol=1e-9)
