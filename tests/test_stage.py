"""The stage without a display: light, look, warp, composing."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from standins.stage import Picture, moving, quarters

from installation.ipc.ring import Ring, Shot
from installation.stage import light, warp
from installation.stage.card import Facts, draw
from installation.stage.compose import Composer, Easel
from installation.stage.look import Dimmer, Look
from installation.stage.playout import FADE
from installation.stage.reel import Cue, Reel
from installation.venue import Wall
from latentworld.errors import ControlError, StageError

RED, GREEN, BLUE, WHITE, DARK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
KEYSTONE = ((0.1, 0.05), (0.9, 0.15), (1.0, 0.95), (0.0, 0.85))


def shot(picture: Picture, sequence: int = 1, stamp: float = 0.0) -> Shot:
    return Shot(sequence, picture, sequence, 0.0, 0.1, stamp)


PLAIN = Look()


def still(picture: Picture, look: Look = PLAIN) -> Cue:
    return Cue(shot(picture), shot(picture), 0.0, look)


def at(picture: Picture, x: float, y: float) -> tuple[int, ...]:
    """The pixel at places 0..1."""
    return tuple(int(v) for v in picture[int(y * picture.shape[0]), int(x * picture.shape[1])])


# ---- light


def test_every_byte_survives_light_and_back() -> None:
    steps, back = light._tables()
    assert back[steps].tolist() == list(range(256))


def test_the_ends_of_a_mixture_are_the_pictures() -> None:
    a, b = quarters(), moving(3)
    np.testing.assert_array_equal(light.mixed(a, b, 0.0), a)
    np.testing.assert_array_equal(light.mixed(a, b, 1.0), b)
    assert np.abs(light.mixed(a, a.copy(), 0.37).astype(int) - a).max() <= 1


@pytest.mark.parametrize("weight", [0.1, 0.25, 0.5, 0.9])
def test_a_line_that_moves_does_not_flicker(weight: float) -> None:
    a, b = np.zeros((16, 64, 3), np.uint8), np.zeros((16, 64, 3), np.uint8)
    a[:, 20:24], b[:, 30:34] = 255, 255
    mixture = light.mixed(a, b, weight)
    sums = [light.linear(picture.astype(np.float32) / 255).sum() for picture in (a, mixture)]
    assert sums[1] == pytest.approx(sums[0], rel=0.01)
    bytes_mixed = np.rint(a * (1 - weight) + b * weight).astype(np.float32) / 255
    assert light.linear(bytes_mixed).sum() < 0.9 * sums[0]  # what it is done for


def test_the_grade_keeps_black_black_and_white_white_unless_it_is_told_to() -> None:
    assert light.graded(1.0, 1.0, 0.0).tolist() == list(range(256))
    bright = light.graded(1.0, 2.0, 0.0)
    assert (bright[0], bright[255]) == (0, 255)
    assert bright[64] == 128  # (64 / 255) ^ (1 / 2)
    lifted = light.graded(1.0, 1.0, 0.1)
    assert (lifted[0], lifted[255]) == (26, 255)
    assert set(light.graded(0.0, 2.0, 0.2).tolist()) == {0}


def test_whether_a_picture_shows_anything() -> None:
    plain = np.full((64, 64, 3), 7, np.uint8)
    assert not light.varied(plain)
    plain[13, 21] = 9
    assert light.varied(plain)
    assert light.brightness(np.full((64, 64, 3), 255, np.uint8)) == pytest.approx(1.0)
    assert light.brightness(np.full((64, 64, 3), 188, np.uint8)) == pytest.approx(0.5, abs=0.01)


# ---- look


def test_blackout_fades_at_the_speed_that_was_asked_for_and_back() -> None:
    dimmer = Dimmer()
    dimmer.set({"out.fade": 2.0, "out.blackout": False})
    assert dimmer.at(10.0).light == 1.0
    dimmer.set({"out.blackout": True})
    levels = [dimmer.at(10.0 + 0.5 * i).light for i in range(1, 6)]
    assert levels == pytest.approx([0.75, 0.5, 0.25, 0.0, 0.0])
    dimmer.set({"out.blackout": False})
    assert dimmer.at(13.5).light == pytest.approx(0.5)
    dimmer.set({"out.fade": 0.0})
    assert dimmer.at(13.6).light == 1.0


def test_a_stage_that_starts_in_a_blackout_does_not_flash() -> None:
    dimmer = Dimmer()
    dimmer.set({"out.blackout": True, "out.fade": 5.0})
    look = dimmer.at(0.0)
    assert (look.light, look.dark) == (0.0, True)


def test_the_card_is_not_dimmed_by_the_master_but_by_a_blackout() -> None:
    dimmer = Dimmer()
    dimmer.set({"out.master": 0.2, "out.testcard": True, "out.fade": 0.0})
    assert dimmer.at(0.0).light == 1.0
    dimmer.set({"out.blackout": True})
    assert dimmer.at(1.0).light == 0.0
    dimmer.set({"out.testcard": False, "out.blackout": False})
    assert dimmer.at(2.0).light == pytest.approx(0.2)


def test_values_that_mean_nothing_are_refused_alone() -> None:
    dimmer = Dimmer()
    with pytest.raises(ControlError, match=r"view\.zoom"):
        dimmer.set({"view.zoom": float("nan"), "out.gamma": 2.0, "walk.speed": 3.0, "no.such": "x"})
    look = dimmer.at(0.0)
    assert (look.zoom, look.gamma) == (1.0, 2.0)
    dimmer.set({"view.zoom": 99.0})
    assert dimmer.at(1.0).zoom == 8.0


# ---- warp

corner = st.floats(0.0, 0.3)


@settings(max_examples=50)
@given(st.tuples(*[corner] * 8))
@example((0.25, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0, 0.25))  # whose homography has w < 0 in the wall's corner
def test_the_pin_puts_each_corner_where_it_was_asked_for(moves: tuple[float, ...]) -> None:
    a, b, c, d, e, f, g, h = moves
    corners = [(a, b), (1 - c, d), (1 - e, 1 - f), (g, 1 - h)]
    places = np.column_stack([corners, np.ones(4)]) @ warp.to_frame(corners).T
    np.testing.assert_allclose(places[:, :2] / places[:, 2:], [(0, 0), (1, 0), (1, 1), (0, 1)], atol=1e-9)
    assert (places[:, 2] > 0).all()


@pytest.mark.parametrize(
    "corners",
    [
        [(0, 0), (1, 1), (1, 0), (0, 1)],  # crossed
        [(1, 0), (0, 0), (0, 1), (1, 1)],  # mirrored
        [(0, 0), (1, 0), (0.2, 0.2), (0, 1)],  # dented
        [(0, 0), (0.5, 0), (1, 0), (0, 1)],  # three in a line
        [(0, 0), (0, 0), (1, 1), (0, 1)],
    ],
)
def test_corners_that_make_no_wall_are_refused(corners: list[tuple[float, float]]) -> None:
    with pytest.raises(StageError, match=r"wall\.corners"):
        Easel(Wall(corners=tuple(corners)), (36, 64))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rotation", "seen"),
    [
        (0, [RED, GREEN, BLUE, WHITE]),
        (90, [WHITE, RED, GREEN, BLUE]),
        (180, [BLUE, WHITE, RED, GREEN]),
        (270, [GREEN, BLUE, WHITE, RED]),
    ],
)
@pytest.mark.parametrize("corners", [((0, 0), (1, 0), (1, 1), (0, 1)), ((0, 0), (1, 0), (1, 1), (0, 0.999))])
def test_pictures_are_turned_clockwise(
    rotation: int, seen: list[tuple[int, ...]], corners: tuple[tuple[float, float], ...]
) -> None:
    wall = Wall(size=(80, 120), rotation=rotation, corners=corners, fit="cover")  # type: ignore[arg-type]
    picture = Easel(wall, wall.size).draw(still(quarters()))
    found = [at(picture, *place) for place in ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))]
    assert found == seen


def test_the_whole_picture_is_seen_or_the_whole_wall_is_covered() -> None:
    wide = Easel(Wall(size=(90, 160), fit="contain"), (90, 160)).draw(still(quarters()))
    assert [at(wide, x, 0.5) for x in (0.05, 0.95)] == [DARK, DARK]
    assert at(wide, 0.25, 0.02) == RED
    covered = Easel(Wall(size=(90, 160), fit="cover"), (90, 160)).draw(still(quarters()))
    assert [at(covered, *place) for place in ((0.01, 0.01), (0.99, 0.01), (0.99, 0.99))] == [RED, GREEN, BLUE]


@pytest.mark.parametrize("fit", ["cover", "contain"])
@pytest.mark.parametrize("side", ["left and right", "above and below"])
def test_parts_on_two_displays_are_the_whole(fit: Literal["cover", "contain"], side: str) -> None:
    y, x = np.mgrid[0:64, 0:64] / 64
    soft = (np.stack([x, y, 0.5 + 0.5 * np.sin(9 * x + 4 * y)], axis=-1) * 255).astype(np.uint8)
    whole = Easel(Wall(fit=fit), (120, 240)).draw(still(soft))
    if side == "left and right":
        parts, size, axis = ((0, 0, 0.5, 1), (0.5, 0, 1, 1)), (120, 120), 1
    else:
        parts, size, axis = ((0, 0, 1, 0.5), (0, 0.5, 1, 1)), (60, 240), 0
    drawn = [Easel(Wall(fit=fit, part=part), size).draw(still(soft)) for part in parts]
    apart = np.abs(np.concatenate(drawn, axis=axis).astype(int) - whole)
    assert apart.mean() < 1.0  # placed to half a pixel
    overlap = Easel(Wall(fit=fit, part=(0.25, 0, 1, 1)), (120, 180)).draw(still(soft))
    assert np.abs(overlap.astype(int) - whole[:, 60:]).mean() < 1.0


@pytest.mark.parametrize("part", [(0.5, 0, 0.5, 1), (0.9, 0, 0.1, 1), (0, 0, 1.2, 1), (0, 0, float("nan"), 1)])
def test_a_part_of_nothing_is_refused(part: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="part"):
        Wall(part=part)  # type: ignore[arg-type]


def test_zoom_enlarges_the_middle_smoothly() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[28:36, 28:36] = 255
    easel = Easel(Wall(size=(200, 200)), (200, 200))
    widths = [(easel.draw(still(picture, Look(zoom=zoom)))[100, :, 0] > 127).sum() for zoom in np.linspace(1, 8, 80)]
    assert widths[0] == pytest.approx(25, abs=1)
    assert widths[-1] == pytest.approx(200, abs=1)
    assert all(0 <= later - sooner <= 4 for sooner, later in pairwise(widths))
    middle = easel.draw(still(picture, Look(zoom=3.3)))
    np.testing.assert_array_equal(middle, middle[::-1, ::-1])


def test_pinned_corners_leave_the_rest_of_the_wall_black_whatever_the_black_level() -> None:
    wall = Wall(size=(180, 320), corners=KEYSTONE, fit="cover")
    picture = Easel(wall, wall.size).draw(still(np.full((64, 64, 3), 255, np.uint8), Look(black=0.2)))
    for x, y in KEYSTONE:
        inner, outer = (
            (0.5 + (x - 0.5) * 0.94, 0.5 + (y - 0.5) * 0.94),
            (0.5 + (x - 0.5) * 1.06, 0.5 + (y - 0.5) * 1.06),
        )
        assert at(picture, *inner) == WHITE
        if 0 <= outer[0] < 1 and 0 <= outer[1] < 1:
            assert at(picture, *outer) == DARK


def test_blended_edges_of_two_projectors_add_up_to_the_light_of_one() -> None:
    place = (np.arange(200) + 0.5) / 200
    left, right = warp.ramp(place, 0.0, 0.25), warp.ramp(place, 0.25, 0.0)
    light_of = [ramp**light.DISPLAY for ramp in (left[place > 0.75], right[place < 0.25])]
    np.testing.assert_allclose(light_of[0] + light_of[1], 1.0, atol=1e-9)
    wall = Wall(size=(90, 160), blend=(0.25, 0, 0, 0.5), fit="cover")
    picture = Easel(wall, wall.size).draw(still(np.full((8, 8, 3), 255, np.uint8)))
    assert at(picture, 0.99, 0.1) == WHITE
    assert at(picture, 0.0, 0.1)[0] < 10
    assert (np.diff(picture[5, :40, 0].astype(int)) >= 0).all()
    assert at(picture, 0.99, 0.995)[0] < 10


def test_a_picture_of_another_shape_is_faded_into_without_being_stretched() -> None:
    tall, wide = np.full((64, 32, 3), 255, np.uint8), np.zeros((32, 64, 3), np.uint8)
    cue = Cue(shot(tall), shot(wide, 2), 0.5, Look())
    picture = Easel(Wall(size=(64, 128)), (64, 128)).draw(cue)
    assert at(picture, 0.5, 0.5)[0] > 180
    assert (picture[:, :40] == 0).all()


def test_a_large_picture_on_a_small_wall_is_averaged() -> None:
    chequer = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    small = Easel(Wall(size=(32, 32)), (32, 32)).draw(still(chequer))
    assert np.abs(small.astype(int) - 127).max() < 4


# ---- reel and composer


def test_the_wall_is_composed_from_the_ring(ring: Ring) -> None:
    composer = Composer(ring, Wall(size=(90, 160)))
    assert not any(composer.compose(i / 30).any() for i in range(30))
    levels = []
    for i in range(60):
        if i % 3 == 0:
            ring.put(np.full((64, 64, 3), 200, np.uint8), i, 0.0, 0.1, 0.0)
        levels.append(int(composer.compose(1.0 + i / 30)[45, 80, 0]))
    assert levels[0] < 100
    assert all(later >= sooner for sooner, later in pairwise(levels))  # out of the dark, and never back
    assert set(levels[int(FADE * 30) + 2 :]) == {200}


def test_a_ring_that_is_silent_leaves_the_last_picture(ring: Ring) -> None:
    composer = Composer(ring, Wall(size=(64, 64)))
    for i in range(30):
        ring.put(moving(i), i, 0.0, 0.1, 0.0)
        composer.compose(i / 10)
    for i in range(100):
        held = composer.compose(3.0 + i)
    np.testing.assert_array_equal(held, moving(29))
    assert composer.compose(200.0) is held  # nothing is drawn again


def test_freeze_holds_the_mixture_and_lets_go_in_a_fade(ring: Ring) -> None:
    reel = Reel(ring)
    for i in range(40):
        ring.put(moving(i), i, 0.0, 0.1, 0.0)
        cue = reel.at(i / 10)
    reel.dimmer.set({"out.freeze": True})
    frozen = [reel.at(4.0 + i / 30).key[:3] for i in range(60)]
    assert set(frozen) == {cue.key[:3]}
    for i in range(40, 90):
        ring.put(moving(i), i, 0.0, 0.1, 0.0)
        assert reel.at(6.0 + (i - 40) / 10).key[:3] == cue.key[:3]
    reel.dimmer.set({"out.freeze": False})
    after = [reel.at(11.0 + i / 30) for i in range(30)]
    assert after[0].older is not None
    assert after[0].older.sequence in (cue.key[0], cue.key[1])
    fading = [cue.weight for cue in after if cue.newer and cue.older and cue.newer.sequence > cue.older.sequence + 1]
    assert len(fading) == pytest.approx(FADE * 30, abs=2)
    assert all(0 < later - sooner < 0.1 for sooner, later in pairwise(fading))
    assert after[-1].newer is not None
    assert after[-1].newer.sequence >= 88


def test_pictures_that_were_overwritten_are_done_without(ring: Ring) -> None:
    reel = Reel(ring)
    ring.put(moving(0), 0, 0.0, 0.1, 0.0)
    for i in range(20):
        reel.at(i / 30)
    for i in range(1, 30):  # more at once than the ring holds
        ring.put(moving(i), i, 0.0, 0.1, 0.0)
    seen = [reel.at(1.0 + i / 30) for i in range(150)]
    numbers = [cue.newer.sequence for cue in seen if cue.newer]
    assert len(numbers) == 150
    assert numbers == sorted(numbers)
    assert numbers[-1] == 30


def test_the_card_goes_through_the_warp_and_the_grade(ring: Ring) -> None:
    wall = Wall(size=(240, 320), rotation=90)
    composer = Composer(ring, wall, lambda size: draw(size, Facts("x")))
    composer.reel.dimmer.set({"out.testcard": True, "out.fade": 0.0})
    card = composer.compose(0.0)
    np.testing.assert_array_equal(card, np.rot90(draw((320, 240), Facts("x")), -1))
    composer.reel.dimmer.set({"out.blackout": True})
    assert not composer.compose(1.0).any()
