"""Which saved state a renderer begins with, and which is written to disk: what may have killed one is neither."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from installation.show.resume import Resume


def test_the_newest_is_offered_and_kept() -> None:
    resume = Resume("disk")
    assert (resume.offer(), resume.worth_keeping) == ("disk", "disk")
    resume.update("one")
    resume.update("two")
    assert (resume.worth_keeping, resume.offer()) == ("two", "two")
    assert Resume().offer() is None


def test_one_that_may_have_killed_a_renderer_is_tried_without_once_and_not_kept() -> None:
    resume = Resume("bad")
    resume.offer()
    assert resume.refuse()
    assert resume.worth_keeping is None
    assert resume.offer() is None
    resume.update("anew")
    assert (resume.worth_keeping, resume.offer()) == ("anew", "anew")


def test_what_kills_without_it_too_is_not_its_fault() -> None:
    resume = Resume("sound")
    for _ in range(3):  # each death without it counts, each with it is forgiven
        assert resume.offer() == "sound"
        assert resume.refuse()
        assert resume.offer() is None
        assert not resume.refuse()
        assert resume.worth_keeping == "sound"


def test_the_last_that_one_went_on_from_is_kept_instead() -> None:
    resume = Resume("disk")
    resume.offer()
    resume.update("later")  # which nobody has gone on from
    assert resume.offer() == "later"
    assert resume.refuse()
    assert resume.worth_keeping == "disk"


@given(st.lists(st.sampled_from(["start", "picture", "death"])), st.booleans())
def test_of_two_deaths_without_a_picture_one_is_counted(events: list[str], found: bool) -> None:
    resume, count = Resume("disk" if found else None), 0
    began, worked, forgiven = None, True, False
    resume.offer()
    for event in events:
        if event == "picture":
            count += 1
            resume.update(str(count))
            worked = True
        elif event == "start":
            began, worked = resume.offer(), False
        elif not worked:
            before, forgiven = forgiven, resume.refuse()
            assert not (before and forgiven and began is None)
            if forgiven:
                assert resume.worth_keeping != began
                assert resume.offer() is None
