"""Twenty thousand hostile packets: nothing gets out, the desk stays sound, answers stay few."""

from __future__ import annotations

import logging
import math
from itertools import islice

import pytest
from osc_packets import packets
from standins.osc import Clock, Stagehand

from installation.ports.osc import addresses, codec
from installation.ports.osc.feedback import Feedback
from installation.ports.osc.handler import Handler


@pytest.mark.parametrize("seed", range(4))
def test_hostile_packets_do_no_harm(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    backstage = Stagehand(clock)
    feedback = Feedback(backstage.desk, addresses.book(backstage.desk.table), backstage.status)
    handler = Handler(backstage, clock, feedback)
    heard = told = 0
    with caplog.at_level(logging.INFO):
        for i, packet in enumerate(islice(packets(seed), 5000)):
            clock.now += 0.0002
            handler.handle(packet, (f"10.0.0.{i % 5}", 9001))
            handler.flush()
            heard += len(packet)
            told += sum(len(answer) for answer, _ in handler.outbox)
            handler.outbox.clear()
            for answer, _ in feedback.pump(clock.now):
                codec.message(answer)
    counts = handler.counts
    assert (counts.errors, caplog.records) == (0, [])  # errors: what was not foreseen
    assert counts.received == 5000
    assert min(counts.applied, counts.pressed, counts.refused, counts.damaged) > 50  # the packets reach every branch
    assert told < 0.1 * heard
    for name, value in backstage.desk.values().items():
        row = backstage.desk.table[name]
        assert value is None or row.check(value) == value
        assert not isinstance(value, float) or math.isfinite(value)
