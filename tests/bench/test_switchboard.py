from __future__ import annotations

import math

import pytest

from cstalk_bridge.bench.report import missed
from cstalk_bridge.bench.switchboard import Record, Reply, beat, minute, of_record, setup
from cstalk_bridge.control.phone_app import MESSAGES
from cstalk_bridge.outputs.osc_messages import Message


def test_every_message_of_the_app_is_sent() -> None:
    sent = {line.address for line in (*setup(("127.0.0.1", 1), (2, 3)), *minute(0), beat(0.0))}
    # Fetched with its own thread; aimed with `/OSCAddSendTarget`, as Switchboard does.
    assert set(MESSAGES) - sent == {"/Transport", "/OSCSetSendTarget"}


def test_every_reply_of_the_table_is_awaited() -> None:
    for line in (*setup(("127.0.0.1", 1), (2,)), *minute(0), beat(0.0)):
        documented = MESSAGES[line.address].reply.split()
        assert ([line.answer.address] if line.answer else []) == documented[:1]
        assert len(line.answer.arguments if line.answer else ()) == max(0, len(documented) - 1)


@pytest.mark.parametrize(
    "message",
    [
        Message("/Take", (4,)),
        Message("/Take", (3.0,)),
        Message("/Take", ()),
        Message("/Take", (3, 1)),
        Message("/Slate", (3,)),
    ],
)
def test_a_different_reply_does_not_match(message: Message) -> None:
    assert not Reply("/Take", (3,)).fits(message)
    assert Reply("/Take", (3,)).fits(Message("/Take", (3,)))
    assert Reply("/Take", (int,)).fits(Message("/Take", (4,)))


def test_a_lost_heartbeat_and_a_wrong_reply_miss_their_limits() -> None:
    assert missed(of_record(Record(3, 2, 2, [0.001, 0.002]))) == 0
    assert missed(of_record(Record(3, 2, 2, [0.001, math.inf]))) == 1
    assert missed(of_record(Record(3, 2, 1, [0.001], ["/Take: no answer"]))) == 1
