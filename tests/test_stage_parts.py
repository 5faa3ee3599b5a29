"""The stage's parts: pacing, what it says of itself, which monitor, the test card."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from patience import until
from PIL import Image
from standins.clock import Clock
from standins.stage import Picture, moving

from installation.ipc.encoding import encoded
from installation.ipc.messages import Fault, SaveScreenshot, StageReport
from installation.ipc.ring import Ring, Shot
from installation.ipc.wire import Wire
from installation.stage import light, monitors, screenshots
from installation.stage.card import Facts, draw
from installation.stage.headless import Headless
from installation.stage.look import Look
from installation.stage.monitors import Monitor
from installation.stage.pacer import BINS, Pacer
from installation.stage.process import perform
from installation.stage.reel import Cue
from installation.stage.tally import Display, Tally
from installation.venue import Wall
from latentworld import disk

PLAIN = Look()

HERE = Display("headless", (36, 64))


def shot(picture: Picture, sequence: int = 1, stamp: float = 0.0) -> Shot:
    return Shot(sequence, picture, sequence, 0.0, 0.1, stamp)


def still(picture: Picture, look: Look = PLAIN) -> Cue:
    return Cue(shot(picture), shot(picture), 0.0, look)


# ---- pacing


def test_without_vsync_the_clock_paces_on_an_even_grid() -> None:
    clock = Clock()
    pacer = Pacer(30.0, clock, clock.sleep)
    due = []
    for i in range(90):
        due.append(pacer.wait())
        clock.now += 0.002 + 0.01 * (i % 3)  # work
        pacer.done()
    np.testing.assert_allclose(np.diff(due), 1 / 30, atol=1e-9)
    assert (pacer.presented, pacer.missed, sum(pacer.counts)) == (90, 0, 89)


def test_missed_presentations_are_counted_and_not_made_up_for() -> None:
    clock = Clock()
    pacer = Pacer(30.0, clock, clock.sleep)
    for i in range(60):
        pacer.wait()
        clock.now += 0.15 if i == 30 else 0.001
        pacer.done()
    assert pacer.missed == 4
    assert pacer.counts[BINS.index(250)] == 1
    assert sum(pacer.counts) == 59
    assert min(i for i, count in enumerate(pacer.counts) if count) >= BINS.index(18)  # no burst afterwards


def test_vsync_that_is_kept_is_followed_and_one_that_is_not_is_not_trusted() -> None:
    clock = Clock()
    pacer = Pacer(60.0, clock, clock.sleep, vsync=True)
    due = []
    for _ in range(300):
        due.append(pacer.wait())
        clock.now += 1 / 59.7  # the display's own idea of 60 Hz, presented when the swap returns
        pacer.done()
    assert pacer.vsync
    assert np.diff(due)[100:] == pytest.approx(1 / 59.7, rel=0.002)
    before = clock.now
    for _ in range(60):
        pacer.wait()
        clock.now += 0.001  # the swap returns at once
        pacer.done()
    assert not pacer.vsync
    assert clock.now - before > 0.8  # of a second
    pacer.reset(50.0, True)
    assert (pacer.vsync, pacer.period) == (True, 0.02)


# ---- what it says of itself


def test_a_report_tells_latency_once_for_each_change_when_the_picture_weighs_a_half() -> None:
    clock = Clock()
    tally = Tally(Pacer(30.0, clock, clock.sleep))
    a, b, c = (shot(moving(i), i, stamp) for i, stamp in ((1, 10.0), (2, 10.0), (3, 11.5)))
    tally.shown(10.2, Cue(None, a, 0.4, Look()))
    tally.shown(10.3, Cue(None, a, 0.6, Look()))
    tally.shown(10.4, Cue(a, b, 0.6, Look()))  # the same stamp
    tally.shown(11.6, Cue(b, c, 0.4, Look()))
    tally.shown(11.7, Cue(b, c, 0.5, Look()))
    report = tally.report(12.0, 0.25, Display("HDMI-1", (1080, 1920)))
    assert report.latency == pytest.approx([0.3, 0.2])
    assert (report.sequence, report.black, report.monitor) == (3, 0.25, "HDMI-1")
    assert (tally.due(12.4), tally.due(12.5)) == (False, True)
    again = tally.report(12.5, 0.0, HERE)
    assert again.latency == ()


def test_fresh_is_of_new_pictures_that_show_something() -> None:
    clock = Clock()
    tally = Tally(Pacer(30.0, clock, clock.sleep))
    report = tally.report(0.0, 1.0, HERE)
    assert report.fresh is None
    tally.shown(5.0, still(moving(1)))
    for now in (6.0, 7.0, 8.0):  # the same, again and again
        tally.shown(now, still(moving(1)))
    grey = shot(np.full((64, 64, 3), 128, np.uint8), 2)
    tally.shown(8.5, Cue(grey, grey, 1.0, Look()))
    report = tally.report(9.0, 1.0, HERE)
    assert (report.fresh, report.sequence) == (4.0, 2)


def test_the_lowest_light_between_reports_is_told_though_it_lasts_one_presentation() -> None:
    clock = Clock()
    tally = Tally(Pacer(30.0, clock, clock.sleep))
    white, black = shot(np.full((64, 64, 3), 255, np.uint8), 1), shot(np.zeros((64, 64, 3), np.uint8), 2)
    for now, weight in enumerate([0.0, 0.25, 0.0]):
        tally.shown(now / 30, Cue(white, black, weight, Look()))
    report = tally.report(1.0, 0.0, HERE)
    assert report.light == pytest.approx(0.75, abs=0.01)
    tally.shown(1.1, still(white.picture, Look(light=0.0)))
    report = tally.report(2.0, 0.0, HERE)
    assert report.light == 0.0


# ---- monitors

BEAMER, PANEL, SIDE = (
    Monitor(name, (x, 0), (1080, 1920), 60.0) for name, x in (("HDMI-1", 0), ("eDP-1", 1920), ("HDMI-12", 3840))
)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [(None, BEAMER), (0, BEAMER), (2, SIDE), ("eDP-1", PANEL), ("edp", PANEL), ("HDMI-12", SIDE), ("hdmi-1", BEAMER)],
)
def test_a_monitor_is_found_by_number_or_name(wanted: str | int | None, found: Monitor) -> None:
    assert monitors.choose([BEAMER, PANEL, SIDE], wanted) == (found, None)


@pytest.mark.parametrize("wanted", [3, -1, "VGA-1"])
def test_a_monitor_that_is_not_there_is_told_with_those_that_are(wanted: str | int) -> None:
    found, fault = monitors.choose([BEAMER, PANEL], wanted)
    assert found == BEAMER
    assert fault is not None
    assert f"no monitor {wanted!r}: there is 0 HDMI-1 1920x1080, 1 eDP-1 1920x1080" in fault
    assert monitors.choose([], wanted)[0] is None


def test_a_monitor_that_was_moved_or_set_to_another_mode_is_another() -> None:
    assert BEAMER.same(replace(BEAMER, handle=object(), rate=50.0))
    assert not BEAMER.same(replace(BEAMER, size=(720, 1280)))
    assert not BEAMER.same(None)


# ---- the card


@pytest.mark.parametrize("size", [(720, 1280), (1280, 720), (600, 600), (36, 64), (97, 1013)])
def test_the_card_is_drawn_at_any_size_to_its_very_edges(size: tuple[int, int]) -> None:
    card = draw(size, Facts("HDMI-1", 59.94, 90, "http://192.168.1.20:8080/?token=abcdef"))
    assert card.shape == (*size, 3)
    assert card.dtype == np.uint8
    for edge in (card[0], card[-1], card[:, 0], card[:, -1]):
        assert edge.mean() > 100
    if size[0] == 600:  # its circle is one, and in the middle
        np.testing.assert_array_equal(card[:, 20:30].mean(axis=2) > 150, card[:, ::-1][:, 20:30].mean(axis=2) > 150)


def test_a_telephone_reads_the_decks_address_off_the_card() -> None:
    import cv2

    address = "http://192.168.1.20:8080/?token=Xy3kd8Lq0PzRt5"
    for size in ((720, 1280), (1080, 1920), (800, 600)):
        assert cv2.QRCodeDetector().detectAndDecode(draw(size, Facts("HDMI-1", deck=address)))[0] == address


def test_the_fine_lines_of_the_card_have_the_light_of_the_grey_beside_them() -> None:
    card = light.linear(draw((720, 1280), Facts("x")).astype(np.float32) / 255)
    lines, grey = card[590:620, 645:700], card[590:620, 712:766]
    assert np.ptp(lines[:2, 0, 0]) == 1  # black and white in turn
    assert grey.min() == grey.max() == pytest.approx(lines.mean(), rel=0.01)


def test_the_card_does_not_show_the_token_in_letters_and_does_without_a_deck() -> None:
    with_token, without = (draw((720, 1280), Facts("x", deck=f"http://a:1/{rest}")) for rest in ("?token=abc", ""))
    below = slice(425, 460)  # the line under the code
    np.testing.assert_array_equal(with_token[below, 400:880], without[below, 400:880])
    assert (draw((720, 1280), Facts("x")) != without).any()
    assert draw((720, 1280), Facts("x" * 300, deck="http://" + "y" * 5000)).shape == (
        720,
        1280,
        3,
    )  # no code holds that


# ---- screenshots


def test_a_disk_that_does_not_answer_holds_up_neither_the_wall_nor_its_end(
    ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answers, save = threading.Event(), threading.Event(), disk.save

    def slow(path: Path, data: bytes) -> None:
        asked.set()
        answers.wait()
        save(path, data)

    monkeypatch.setattr(disk, "save", slow)
    monkeypatch.setattr(screenshots, "FAREWELL", 0.1)
    told, surface = hearing(ring, asked, tmp_path)
    assert not list(tmp_path.iterdir())
    assert [f"{tmp_path / '5.png'} does not keep up" in fault.text for fault in told if isinstance(fault, Fault)] == [
        True
    ]
    presented = [report.presented for report in told if isinstance(report, StageReport)]
    assert presented[-1] > presented[0]
    answers.set()
    until(lambda: len(list(tmp_path.glob("[0-9]*.png"))) == 4)
    until(lambda: not list(tmp_path.glob(".*")))
    assert np.asarray(Image.open(tmp_path / "4.png")).shape == (36, 64, 3)
    surface.close()


def hearing(ring: Ring, asked: threading.Event, folder: Path) -> tuple[list[object], Headless]:
    """What a stage says that is asked for five screenshots, and, once the first is being written, shown on."""
    (inward, said), (heard, outward) = os.pipe(), os.pipe()
    surface, told = Headless(ring, Wall(kind="headless", size=(36, 64), rate=60.0)), list[object]()
    with contextlib.ExitStack() as files:
        begin, show = files.enter_context(os.fdopen(inward, "rb")), files.enter_context(os.fdopen(said, "wb", 0))
        hears, end = files.enter_context(os.fdopen(heard, "rb")), files.enter_context(os.fdopen(outward, "wb"))
        wire, nobody = Wire(begin, end), files.enter_context(open(os.devnull, "wb"))

        def listen() -> None:
            for message in Wire(hears, nobody).read():
                told.append(message)
                reports = sum(isinstance(each, StageReport) for each in told)
                if reports == 1 and not asked.is_set():
                    for number in range(1, 6):
                        show.write(encoded(SaveScreenshot(str(folder / f"{number}.png"))))
                    asked.wait()
                elif reports == 4:
                    show.close()

        listening = threading.Thread(target=listen, daemon=True)
        listening.start()
        perform(surface, wire)
        wire.close()
        end.close()
        listening.join(30)
    return told, surface
