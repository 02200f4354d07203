"""Queues into whose pipe somebody writes what is no message, and messages that claim too much."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import struct
from types import SimpleNamespace
from typing import Any

import pytest

import brine
from brine import _queues
from brine._high_water import MAX_GAP, HighWaterMarks
from test_queues_refusals import Refused

FORK = multiprocessing.get_context("fork")

LENGTHS = [
    struct.pack("!iQ", -1, (1 << 64) - 1),
    struct.pack("!iQ", -1, 1 << 63),
    struct.pack("!iQ", -1, (1 << 40) + 1),
    struct.pack("!i", -2),
    struct.pack("!i", -(1 << 31)),
]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_that_makes_no_sense_is_refused_and_the_queue_goes_on(length: bytes) -> None:
    refused = Refused()
    here, there = brine.signed_pipe(ctx=FORK, on_refused=refused)
    queues: list[Any] = [
        brine.SignedQueue(ctx=FORK, on_refused=refused),
        brine.SignedSimpleQueue(ctx=FORK, on_refused=refused),
    ]
    for queue in queues:
        os.write(queue._writer.fileno(), length)
        queue.put("next")
        assert queue.get() == "next"
    os.write(there.fileno(), length)
    there.send("next")
    assert here.recv() == "next"
    assert refused.reasons == ["message-length"] * 3
    assert refused.messages == [b""] * 3


@pytest.mark.parametrize("cut", [struct.pack("!i", (1 << 31) - 1), struct.pack("!i", 50) + b"x"])
def test_a_message_that_never_arrives_holds_nobody_who_has_a_timeout(
    cut: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_queues, "PATIENCE_SECONDS", 0.05)
    queue = brine.SignedQueue[Any](ctx=FORK)
    os.write(queue._writer.fileno(), cut)
    with pytest.raises(brine.AlteredError) as caught:
        queue.get(timeout=0.01)
    assert caught.value.reason == "message-length"
    queue.put("next")
    assert queue.get(timeout=5) == "next"


def numbered(number: int, channel: int = 1, signer: int = 1) -> Any:
    """Stand for a message that has verified."""
    return SimpleNamespace(key_id=f"{signer:064x}", sequence=(f"{channel:032x}", number))


@pytest.mark.parametrize("number", [MAX_GAP + 1, (1 << 63) - 1, (1 << 64) - 1])
def test_a_believed_signer_that_skips_too_many_numbers_stops_nobody(number: int) -> None:
    marks = HighWaterMarks(10)
    for channel in (1, 2):
        with pytest.raises(brine.UntrustedError) as caught:
            marks.note(numbered(number, channel))
        assert caught.value.reason == "message-number"
        marks.note(numbered(0, channel))
    marks.note(numbered(0, 1, signer=2))
    marks.note(numbered(5, 1, signer=2))
    assert marks.skipped == 4


def test_the_count_of_what_is_missing_stays_at_its_highest_value() -> None:
    marks = HighWaterMarks(10)
    marks._words[1] = (1 << 64) - 3
    marks.note(numbered(MAX_GAP))
    marks.note(numbered(MAX_GAP + 10))
    assert marks.skipped == (1 << 64) - 1
    with pytest.raises(brine.ReplayedError):
        marks.note(numbered(MAX_GAP + 10))


class Interrupts:
    """What raises no ``Exception`` where it is loaded."""

    def __init__(self) -> None:
        raise KeyboardInterrupt


class NeedsMemory:
    """What does not fit where it is loaded."""

    def __init__(self) -> None:
        raise MemoryError


@pytest.mark.parametrize("kind", [Interrupts, NeedsMemory])
def test_join_does_not_wait_for_what_raised_while_it_was_loaded(kind: type) -> None:
    name = f"{kind.__module__}:{kind.__qualname__}"
    queue = brine.SignedJoinableQueue[Any](ctx=FORK, allow=["std", name])
    hostile = f"c{kind.__module__}\n{kind.__qualname__}\n)R.".encode()
    queue.put("stands for it")
    queue._reader.recv_bytes()
    queue._writer.send_bytes(queue._codec.sign(b"\x80\x04" + hostile))
    with pytest.raises((KeyboardInterrupt, MemoryError, brine.Error)):
        queue.get()
    queue.join()
    queue.put(pickle.PROTO)
    assert queue.get() == pickle.PROTO


def test_one_key_cannot_use_up_what_all_share() -> None:
    marks = HighWaterMarks(40)
    for channel in range(10):
        marks.note(numbered(0, channel))
    with pytest.raises(brine.UntrustedError) as caught:
        marks.note(numbered(0, 10))
    assert caught.value.reason == "replay-full"
    marks.note(numbered(1, 9))
    marks.note(numbered(0, 10, signer=2))


def test_a_key_has_one_channel_however_often_it_is_given(alice: brine.Key) -> None:
    trust = brine.Trust.of({"alice": alice.public})
    here, there = brine.signed_pipe(ctx=FORK, trust=trust)
    queues: list[Any] = [
        brine.SignedQueue(ctx=FORK, trust=trust),
        brine.SignedSimpleQueue(ctx=FORK, trust=trust),
    ]
    for queue in queues:
        for number in range(5):
            queue.with_key(alice).put(number)
            assert queue.get() == number
        assert len(queue._reception.marks._rows) == 2
    for number in range(5):
        there.with_key(alice).send(number)
        assert here.recv() == number
    assert len(here._inbox.reception.marks._rows) == 2


def test_a_queue_with_a_key_is_made_again_when_it_was_closed(alice: brine.Key) -> None:
    trust = brine.Trust.of({"alice": alice.public})
    queue = brine.SignedQueue[Any](ctx=FORK, trust=trust)
    twin = queue.with_key(alice)
    twin.put(1)
    twin.close()
    twin.join_thread()
    queue.with_key(alice).put(2)
    assert [queue.get(), queue.get()] == [1, 2]


def test_a_private_key_leaves_a_codec_only_for_a_process_that_starts(alice: brine.Key) -> None:
    queue = brine.SignedQueue[Any](ctx=FORK, key=alice)
    for leave in (pickle.dumps, copy.deepcopy):
        with pytest.raises(RuntimeError, match="inheritance"):
            leave(queue._codec)
