"""Ticks told beside the loop: in order, one at a time, and a fault in one ends neither."""

from __future__ import annotations

import threading

import pytest

from installation.render.telling import Telling


def test_a_show_that_hears_slowly_holds_the_loop_back() -> None:
    """The second act is taken while the first is under way; the third only once the second can begin."""
    heard, told = threading.Event(), list[int]()
    taken = [threading.Event() for _ in range(3)]
    telling = Telling(lambda line: None)

    def slow(number: int) -> None:
        heard.wait(10)
        told.append(number)

    def loop() -> None:
        for number in range(3):
            telling(lambda number=number: slow(number))  # type: ignore[misc]
            taken[number].set()

    thread = threading.Thread(target=loop)
    thread.start()
    assert taken[0].wait(10)
    assert not taken[1].wait(0.2)  # the first is not told yet
    assert told == []
    heard.set()
    thread.join(10)
    telling.close()
    assert told == [0, 1, 2]


def test_what_cannot_be_told_is_a_fault_and_the_next_is_told() -> None:
    faults, told = list[str](), list[int]()
    telling = Telling(faults.append)
    telling(lambda: told.append(1 // 0))
    telling(lambda: told.append(2))
    telling.close()
    assert told == [2]
    assert faults == ["a tick could not be told: ZeroDivisionError: integer division or modulo by zero"]


def test_a_fault_that_nobody_can_be_told_of_ends_nothing_either() -> None:
    def deaf(line: str) -> None:
        raise OSError("the wire is gone")

    told = list[int]()
    telling = Telling(deaf)
    telling(lambda: told.append(1 // 0))
    with pytest.raises(OSError, match="wire"):
        telling(lambda: told.append(2))
    telling(lambda: told.append(3))
    telling.close()
    assert told == [3]
