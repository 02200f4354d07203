"""Huey with signed tasks: each begins once, as its signer meant it, wherever somebody puts copies of it."""

from __future__ import annotations

import datetime
import time
from typing import TYPE_CHECKING, Any

import pytest

import brine

huey = pytest.importorskip("huey")

from huey import MemoryHuey, chord

import brine.huey
from conftest import wait_until
from huey_kit import Shop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
pytest_plugins = ("huey_fixtures",)

LONG_AGO = datetime.datetime(2000, 1, 1)


def brief_task(shop: Shop) -> Any:
    """Give a shop a task that is worth nothing after a minute."""

    @shop.huey.task(context=True, name="brief", expires=60)
    def brief(task: Any = None) -> None:
        shop.ran.append(getattr(task, "signer", "nobody"))

    return brief


def test_copies_in_the_schedule(signed: Callable[..., Shop]) -> None:
    for shop, runs in ((Shop(MemoryHuey("shop")), 4), (signed(), 1)):
        brief_task(shop)()
        message = shop.queued()
        shop.raw.enqueue(message)
        shop.work()
        for _ in range(3):
            # Whoever reads the schedule puts into the queue what is due, with a new moment until which it is worth something.
            shop.raw.add_to_schedule(message, LONG_AGO)
            shop.work()
        assert len(shop.ran) == runs
    assert shop.reasons() == ["replayed"] * 3


def test_a_task_that_waited_is_still_its_signers(
    alice: brine.Key, mallory: brine.Key, seen: Path
) -> None:
    keys = {"alice": alice.public, "worker": mallory.public}
    given = {"trust": brine.Trust.of(keys), "expires": "1d", "replay_db": seen}
    shop = Shop(brine.huey.sign(MemoryHuey("shop"), key=alice, **given))
    worker = Shop(brine.huey.sign(MemoryHuey("shop"), key=mallory, **given))
    brief_task(worker)
    brief_task(shop).schedule(delay=0.2)
    worker.raw.enqueue(shop.queued())
    wait_until(lambda: not worker.work() and bool(worker.ran))
    assert worker.ran == ["alice"]


def test_a_task_that_expires_does_so_after_its_time(signed: Callable[..., Shop]) -> None:
    shop = signed()
    brief_task(shop).schedule(delay=3600)
    task = shop.huey.dequeue()
    assert task.expires_resolved == task.eta + datetime.timedelta(seconds=60)
    at = datetime.datetime(2099, 1, 1)
    shop.huey.task(name="late", expires=at)(print).schedule(delay=3600)
    assert shop.huey.dequeue().expires_resolved.year == 2099


def test_nobody_signs_what_was_never_signed_and_has_not_begun(
    alice: brine.Key, signed: Callable[..., Shop]
) -> None:
    plain = Shop(MemoryHuey("shop"))
    plain.add.schedule((1,), delay=0.2)
    shop = signed(fallback=brine.Unsigned())
    message = plain.queued()
    shop.raw.enqueue(message)
    with pytest.warns(brine.UnsignedWarning):
        shop.work()
    assert shop.raw.scheduled_items() == [message]
    wait_until(lambda: not shop.work() and bool(shop.ran))
    assert shop.ran == [(1, 0, None)]


def test_copies_of_a_task_that_was_revoked(signed: Callable[..., Shop]) -> None:
    for shop, runs in ((Shop(MemoryHuey("shop")), 2), (signed(), 0)):
        result = shop.add(1)
        message = shop.queued()
        for _ in range(3):
            shop.raw.enqueue(message)
        # For one time, as is usual.
        result.revoke()
        shop.work()
        assert len(shop.ran) == runs
    assert shop.reasons() == ["replayed"] * 2


def test_copies_of_a_member_of_a_chord_that_is_late(signed: Callable[..., Shop]) -> None:
    for shop, counted in ((Shop(MemoryHuey("shop")), 3), (signed(), 1)):
        tasks = [shop.add.s(1, 1, expires=LONG_AGO) for _ in range(9)]
        shop.huey.enqueue(chord(tasks, shop.total.s()))
        message = shop.queued()
        shop.raw.flush_queue()
        for _ in range(3):
            shop.raw.enqueue(message)
        shop.work()
        assert shop.ran == []
        assert list(shop.raw._counters.values()) == [counted]
    assert shop.reasons() == ["replayed"] * 2


def test_a_time_that_is_none_is_refused(alice: brine.Key, signed: Callable[..., Shop]) -> None:
    shop = signed()
    signer = brine.Signer(alice, context="huey:shop", expires="1h", aad=b"task")
    message = huey.registry.Message("x", f"{Shop.__module__}.add", eta="soon")
    shop.raw.enqueue(brine.dumps(message, signer=signer))
    shop.add(1)
    shop.work()
    assert (shop.ran, shop.reasons()) == ([(1, 0, "alice")], ["task-form"])


def test_a_consumer_can_be_stopped_in_a_flood(
    monkeypatch: pytest.MonkeyPatch, signed: Callable[..., Shop]
) -> None:
    shop = signed()
    now = [0.0]

    def next_message() -> bytes:
        now[0] += 0.1
        assert now[0] < 10, "it reads on and on"
        return b"garbage"

    monkeypatch.setattr(shop.raw, "dequeue", next_message)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert shop.huey.dequeue() is None
    assert set(shop.reasons()) == {"not-an-envelope"}
