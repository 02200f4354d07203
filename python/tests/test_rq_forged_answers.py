"""Results, meta and commands of RQ that nobody has signed, or that were signed for something else."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import brine
from conftest import wait_until

rq = pytest.importorskip("rq")

from rq.command import PUBSUB_CHANNEL_TEMPLATE

import brine.rq
import rq_kit
from brine._objects import pickled
from brine._rq_workers import about
from rq_kit import ATTEMPTS, Shop, stored, two_shops

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ("rq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_results_of_another_job(open_shop: Shop, shop: Shop) -> None:
    for one, is_signed in ((open_shop, False), (shop, True)):
        mine, other = one.queue.enqueue(rq_kit.add, 1), one.queue.enqueue(rq_kit.add, 100)
        one.work()
        ((_, record),) = one.connection.xrange(f"rq:results:{other.id}")
        one.connection.xadd(f"rq:results:{mine.id}", record)
        if is_signed:
            with pytest.raises(brine.AlteredError) as caught:
                mine.return_value()
            assert caught.value.reason == "signature-bad"
        else:
            assert mine.return_value() == 100


def test_a_job_of_another_queue_in_the_place_of_one_of_this(
    connection: Any, alice: brine.Key, mallory: brine.Key, seen: Path
) -> None:
    """Whoever is trusted for one queue answers no job of another one."""
    plain, plain_other = (Shop(connection, ATTEMPTS["hmac"](), name) for name in ("shop", "other"))
    shop, other = two_shops(connection, alice, mallory, seen)
    for one, sender in ((plain, plain_other), (shop, other)):
        job = one.queue.enqueue(rq_kit.add, 1, job_id="one")
        job.delete()
        sender.queue.enqueue(rq_kit.add, 100, job_id="one")
        sender.work()
        if one is plain:
            job.refresh()
            assert (job.origin, job.return_value()) == ("other", 100)
            connection.flushall()
            continue
        with pytest.raises(brine.UntrustedError) as caught:
            job.refresh()
        assert (caught.value.reason, job.origin) == ("context-mismatch", "shop")
        with pytest.raises(brine.UntrustedError) as caught:
            job.return_value()
        assert caught.value.reason == "context-mismatch"
        # Whoever asks for it by its id alone is told where it is from.
        found = shop.kind.Job.fetch("one", connection=connection)
        assert (found.origin, found.signer) == ("other", "mallory")
        assert shop.queue.fetch_job("one") is None


def test_a_result_from_the_end_of_time(open_shop: Shop, shop: Shop) -> None:
    for one in (open_shop, shop):
        job = one.queue.enqueue(rq_kit.add, 1)
        one.work()
        ((_, record),) = one.connection.xrange(f"rq:results:{job.id}")
        one.connection.xadd(f"rq:results:{job.id}", record, id="18446744073709551614-1")
        with pytest.raises(ValueError, match="year") as caught:
            job.return_value()
    assert isinstance(caught.value, brine.UsageError)
    assert caught.value.reason == "task-form"


def test_a_job_of_another_group(connection: Any, shop: Shop) -> None:
    plain = Shop(connection, ATTEMPTS["unsigned"]())
    kinds = ((plain, rq.group.Group, [1, 100]), (shop, shop.kind.Group, [1]))
    for one, kind, expected in kinds:
        group = kind.create(connection=connection)
        group.enqueue_many(one.queue, [one.queue.prepare_data(rq_kit.add, (1,))])
        connection.sadd(group.key, one.queue.enqueue(rq_kit.add, 100).id)
        one.work()
        assert sorted(job.return_value() for job in group.get_jobs()) == expected


def test_a_failure_that_did_not_happen(open_shop: Shop, shop: Shop) -> None:
    for one, is_signed in ((open_shop, False), (shop, True)):
        job = one.queue.enqueue(rq_kit.add, 1)
        one.connection.xadd(f"rq:results:{job.id}", {"type": 2})
        if is_signed:
            with pytest.raises(brine.Error) as caught:
                job.latest_result()
            assert caught.value.reason == "not-an-envelope"
        else:
            assert job.latest_result().type.name == "FAILED"


def test_forged_meta(connection: Any, shop: Shop) -> None:
    plain = Shop(connection, ATTEMPTS["unsigned"]())
    for one, expected in ((plain, 42), (shop, None)):
        job = one.queue.enqueue(rq_kit.remember, "seen")
        one.forge(job, meta=pickle.dumps({"seen": 41}))
        one.work()
        assert job.return_value() == expected
    assert shop.reasons() == ["not-an-envelope"]
    # That of another job, which is signed.
    job = shop.queue.enqueue(rq_kit.remember, "seen", meta={"seen": 41})
    other = shop.queue.enqueue(rq_kit.remember, "seen")
    shop.forge(other, meta=stored(shop, job)["meta"])
    shop.work()
    assert shop.reasons()[1:] == ["signature-bad"]
    with pytest.raises(brine.AlteredError):
        other.get_meta()


def test_meta_of_a_job_of_another_queue(
    connection: Any, alice: brine.Key, mallory: brine.Key, seen: Path
) -> None:
    """Whoever is trusted for one queue has no worker of another one sign a meta there."""
    shop, other = two_shops(connection, alice, mallory, seen)
    job = shop.queue.enqueue(rq_kit.remember, "seen", job_id="one")
    fields = stored(shop, job)
    job.delete()
    forged = other.queue.enqueue(rq_kit.remember, "seen", job_id="one", meta={"seen": 41})
    shop.forge(forged, status="ready_to_enqueue")
    connection.zadd("rq:ready:shop", {"one": 1})
    shop.work()
    meta = stored(shop, forged)["meta"]
    connection.delete(job.key)
    connection.hset(job.key, mapping={**fields, "meta": meta})
    shop.push(job.id)
    shop.work()
    assert (job.return_value(), set(shop.reasons())) == (None, {"context-mismatch"})


def test_no_worker_moves_a_job_to_another_queue(shop: Shop) -> None:
    other = Shop(shop.connection, shop.kind, "other")
    job = other.queue.enqueue(rq_kit.remember, "seen", meta={"seen": 1})
    before = stored(shop, job)
    worker = shop.worker()
    found = worker.job_class.fetch(job.id, connection=shop.connection)
    with pytest.raises(brine.UntrustedError) as caught:
        worker.queues[0]._enqueue_job(found)
    assert caught.value.reason == "context-mismatch"
    assert stored(shop, job) == before


def test_commands_that_nobody_signed(
    open_shop: Shop, shop: Shop, signed: Callable[..., Any], alice: brine.Key
) -> None:
    stopped: list[str] = []
    for one in (open_shop, shop):
        worker = one.worker(name="one")
        worker.kill_horse = lambda: stopped.append("killed")
        worker._horse_pid = 1
        worker.subscribe()
        try:
            rq.command.send_command(one.connection, "one", "kill-horse")
            if one is open_shop:
                wait_until(lambda: stopped == ["killed"])
                continue
            wait_until(lambda: len(shop.reasons()) == 1)
            channel = PUBSUB_CHANNEL_TEMPLATE % "one"
            commands = shop.kind._signatures.commands
            order = pickled({"command": "kill-horse"}, False)
            command = commands.sign(order, about("one"))
            for _ in range(3):
                shop.connection.publish(channel, command)
            shop.connection.publish(channel, commands.sign(order, about("another")))
            stale = brine.Signer(alice, context="rq:commands", expires="1m", aad=about("one"))
            shop.connection.publish(channel, stale.sign(order, content_type="text/plain"))
            job = shop.queue.enqueue(rq_kit.add, 1)
            shop.connection.publish(channel, stored(shop, job)["data"])
            for content in ("shutdown", {}):
                data = commands.sign(pickled(content, False), about("one"))
                shop.connection.publish(channel, data)
            other = brine.Signer(alice, context="rq:shop", expires="1m", aad=about("one"))
            shop.connection.publish(channel, brine.dumps({"command": "kill-horse"}, signer=other))
            wait_until(lambda: len(shop.reasons()) == 8)
        finally:
            worker.unsubscribe()
    assert stopped == ["killed"] * 2
    assert sorted(shop.reasons()) == [
        "context-mismatch",
        "not-an-envelope",
        "replayed",
        "signature-bad",
        "signature-bad",
        "task-form",
        "task-form",
        "wrong-content-type",
    ]


def test_a_command_of_yesterday(shop: Shop) -> None:
    worker = shop.worker(name="one")
    stopped: list[str] = []
    worker.kill_horse = lambda: stopped.append("killed")
    worker._horse_pid = 1
    commands = shop.kind._signatures.commands
    order = pickled({"command": "kill-horse"}, False)
    old = commands.sign(order, about("one"))
    later = datetime.now(UTC) + timedelta(minutes=3)
    verifier = brine.Verifier(commands._trust, context="rq:commands", aad=about("one"), now=later)
    commands._verifier = lambda *_: verifier
    worker.handle_payload({"data": old})
    assert (stopped, shop.reasons()) == ([], ["expired"])
