"""Huey with signed tasks: what it does otherwise, it does as before."""

from __future__ import annotations

import datetime
import pickle
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import brine

huey = pytest.importorskip("huey")

from huey import MemoryHuey, SqliteHuey, chord, crontab, group

import brine.huey
from conftest import wait_until
from huey_kit import Evil, Shop

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
pytest_plugins = ("huey_fixtures",)


def test_tasks_run_and_results_come_back(shop: Shop) -> None:
    result = shop.add(1, b=2)
    shop.work()
    assert result.get() == 3
    assert shop.ran == [(1, 2, "alice")]
    # A result is taken once, unless it is preserved.
    assert shop.add(1)(blocking=False) is None


def test_retries_pipelines_groups_chords_and_errors(shop: Shop) -> None:
    result = shop.flaky()
    shop.work()
    assert (result.get(), shop.ran) == ("at last", ["flaky"] * 3)
    results = shop.huey.enqueue(shop.add.s(1, 1).then(shop.add, 10).then(shop.add, 100))
    shop.work()
    assert results.get() == [2, 12, 112]
    results = shop.huey.enqueue(group([shop.add.s(n, n) for n in range(4)]))
    shop.work()
    assert results.get() == [0, 2, 4, 6]
    result = shop.huey.enqueue(chord([shop.add.s(n, 1) for n in range(3)], shop.total.s()))
    shop.work()
    assert result.get() == 6
    result = shop.add("text", 1)
    shop.work()
    with pytest.raises(huey.exceptions.TaskException, match="can only concatenate"):
        result.get()
    assert shop.reasons() == []


def test_a_chord_whose_member_was_revoked(signed: Callable[..., Shop]) -> None:
    seen = []
    for shop in (Shop(MemoryHuey("shop")), signed()):
        tell = shop.huey.task(name="tell")(lambda values: seen.append(repr(values)))
        tasks = [shop.add.s(1, 1), shop.add.s(2, 2)]
        shop.huey.revoke(tasks[0])
        shop.huey.enqueue(chord(tasks, tell.s()))
        shop.work()
    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert shop.reasons() == []


@pytest.mark.parametrize(
    "error",
    [
        ValueError("v"),
        huey.exceptions.TaskLockedException("l"),
        huey.exceptions.TaskTimeout("t"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_handler_of_errors_has_the_errors_of_huey(
    error: Exception, signed: Callable[..., Shop]
) -> None:
    shop = signed()
    told: list[Exception] = []

    @shop.huey.task(name="fail")
    def fail() -> None:
        raise error

    handler = shop.huey.task(name="handler")(told.append)
    shop.huey.enqueue(fail.s().error(handler))
    shop.work()
    assert (shop.reasons(), [type(one) for one in told]) == ([], [type(error)])


def test_what_waits_for_its_time_is_judged_when_it_comes(
    alice: brine.Key, mallory: brine.Key, seen: Path
) -> None:
    keys = {"alice": alice.public, "worker": mallory.public}
    given = {"trust": brine.Trust.of(keys), "expires": "1d", "replay_db": seen}
    made = MemoryHuey("shop")
    shop = Shop(brine.huey.sign(made, key=alice, **given))
    result = shop.add.schedule((1, 2), delay=0.3)
    message = shop.queued()
    # The worker has a key of its own, and puts back what alice signed.
    worker = Shop(brine.huey.sign(MemoryHuey("shop"), key=mallory, **given))
    worker.raw.enqueue(message)
    worker.work()
    assert [bytes(one) for one in worker.raw.scheduled_items()] == [message]
    assert worker.ran == []
    time.sleep(0.4)
    worker.work()
    assert worker.ran == [(1, 2, "alice")]
    assert worker.huey.result(result.id) == 3
    # Her key is revoked while the next one waits.
    shop.add.schedule((3, 4), delay=0.3)
    worker.raw.enqueue(shop.queued())
    worker.work()
    signatures = worker.huey._brine
    signatures._trust = brine.Trust.of({"worker": mallory.public})
    signatures._judge, signatures._ledgers = None, {}
    time.sleep(0.4)
    worker.work()
    assert worker.ran == [(1, 2, "alice")]
    assert worker.reasons() == ["unknown-signer"]


def test_revoking_locks_and_periodic_tasks(shop: Shop) -> None:
    result = shop.add(1, 2)
    result.revoke()
    shop.work()
    assert shop.ran == []
    assert not result.is_revoked()
    with shop.huey.lock_task("one"), pytest.raises(huey.exceptions.TaskLockedException):
        shop.huey.lock_task("one").acquire()
    shop.huey.lock_task("one").acquire()
    shop.huey.flush_locks("one")

    @shop.huey.periodic_task(crontab(), name="tick")
    def tick() -> None:
        shop.ran.append("tick")

    for task in shop.huey.read_periodic(datetime.datetime.now()):
        shop.huey.enqueue(task)
    shop.work()
    assert shop.ran == ["tick"]


def test_a_real_consumer(
    tmp_path: Path, signed: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = signed(SqliteHuey("shop", filename=str(tmp_path / "shop.db")))
    consumer = shop.huey.create_consumer(workers=2, periodic=False, initial_delay=0.01)
    # The signals of this process are the other tests'.
    monkeypatch.setattr(consumer, "_set_signal_handlers", lambda: None)
    consumer.start()
    try:
        results = [shop.add(number, 1) for number in range(50)]
        assert [result.get(blocking=True, timeout=20) for result in results] == list(range(1, 51))
        shop.raw.enqueue(b"garbage")
        later = shop.add.schedule((1, 1), delay=0.2)
        assert later.get(blocking=True, timeout=20) == 2
    finally:
        consumer.stop(graceful=True)
    assert shop.reasons() == ["not-an-envelope"]


def test_immediate_mode_and_its_end(signed: Callable[..., Shop]) -> None:
    shop = signed()
    shop.huey.immediate = True
    assert shop.add(1, 2).get() == 3
    # Nobody has signed it.
    assert shop.ran == [(1, 2, None)]
    shop.huey.immediate = False
    result = shop.add(3, 4)
    message = shop.queued()
    shop.raw.enqueue(message)
    shop.work()
    assert result.get() == 7
    shop.raw.enqueue(pickle.dumps(("anything",)))
    shop.work()
    assert shop.reasons() == ["not-an-envelope"]


def test_moving_to_signatures(signed: Callable[..., Shop]) -> None:
    unsigned = Shop(MemoryHuey("shop"))
    unsigned.add(1)
    old = unsigned.queued()
    fallback = brine.Unsigned()
    shop = signed(fallback=fallback)
    shop.raw.enqueue(old)
    shop.raw.enqueue(pickle.dumps(Evil()))
    # What is signed is no less so.
    shop.add(2)
    message = shop.raw.enqueued_items()[-1]
    shop.raw.enqueue(message)
    shop.raw.enqueue(message[:-1] + bytes([message[-1] ^ 1]))
    with pytest.warns(brine.UnsignedWarning):
        shop.work()
    assert shop.ran == [(1, 0, None), (2, 0, "alice")]
    assert fallback.count == 1
    assert shop.reasons() == ["import-not-allowed", "replayed", "signature-bad"]


def test_rotation_with_tasks_in_flight(alice: brine.Key, mallory: brine.Key, seen: Path) -> None:
    keys = {"old": alice.public, "new": mallory.public}
    given = {"trust": brine.Trust.of(keys), "expires": "1d", "replay_db": seen}
    shop = Shop(brine.huey.sign(MemoryHuey("shop"), key=alice, **given))
    shop.add(1)
    message = shop.queued()
    shop = Shop(brine.huey.sign(MemoryHuey("shop"), key=mallory, **given))
    shop.raw.enqueue(message)
    shop.add(2)
    shop.work()
    assert shop.ran == [(1, 0, "old"), (2, 0, "new")]


def test_what_cannot_be_judged_now_waits(
    home: Path, caplog: pytest.LogCaptureFixture, signed: Callable[..., Shop]
) -> None:
    shop = signed(key=None, trust=None)
    trust = home / "trust.toml"
    listed = trust.read_text()
    done = shop.add(1, 1)
    shop.work()
    result = shop.add(2, 2)
    others = [shop.add(3, number) for number in range(3)]
    trust.write_text("no TOML")
    shop.work()
    assert (len(shop.ran), shop.reasons(), len(shop.raw.scheduled_items())) == (1, [], 4)
    # It is said once, and not of each, second by second.
    assert caplog.text.count("messages of huey:shop wait") == 1
    with pytest.raises(brine.KeyFileError):
        done.get()
    trust.write_text(listed)
    wait_until(lambda: not shop.work() and len(shop.ran) == 5)
    assert (done.get(), result.get(), shop.reasons()) == (2, 4, [])
    assert [one.get() for one in others] == [3, 4, 5]


def test_a_ledger_that_is_not_there_has_tasks_wait(seen: Path, signed: Callable[..., Shop]) -> None:
    shop = signed()
    shop.add(1)
    seen.rename(seen.with_name("away"))
    shop.work()
    assert (shop.ran, shop.reasons(), len(shop.raw.scheduled_items())) == ([], [], 1)
    seen.with_name("away").rename(seen)
    wait_until(lambda: not shop.work() and bool(shop.ran))
    assert shop.reasons() == []


def test_a_task_may_wait_for_longer_than_a_day(seen: Path, signed: Callable[..., Shop]) -> None:
    shop = signed(expires="30d")
    shop.add(1)
    shop.work()
    # By itself, a ledger refuses what is older than a day.
    assert brine.replay_status(seen)["max_age_seconds"] > 60 * 24 * 60 * 60
    assert shop.ran == [(1, 0, "alice")]


def test_what_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, signed: Callable[..., Shop]
) -> None:
    with pytest.raises(brine.UsageError, match="expected a Huey"):
        signed(object())
    with pytest.raises(brine.UsageError, match="expected a length of time"):
        signed(expires=5)
    with pytest.raises(brine.UsageError, match="it is signed already"):
        signed(signed().huey)
    monkeypatch.setattr("huey.__version__", "4.0.0")
    with pytest.raises(brine.UnsupportedError, match=r"Huey 4\.0\.0 is not known here"):
        signed()
