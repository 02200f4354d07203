"""RQ while a system moves to signatures: what is let through without one, and what is not."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import pytest

import brine

rq = pytest.importorskip("rq")

from rq import Retry

import brine.rq
import rq_kit
from rq_kit import ATTEMPTS, Shop, stored

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ("rq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_plain_workers_and_plain_jobs(connection: Any, shop: Shop) -> None:
    # An unsigned job runs in no signed worker, and a signed one in no worker that would not verify it.
    plain = Shop(connection, ATTEMPTS["unsigned"]())
    plain.queue.enqueue(rq_kit.add, 1)
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], ["not-an-envelope"])
    assert "signed.Queue signs" in brine.rq.refused(connection)[0].message
    job = shop.queue.enqueue(rq_kit.add, 2)
    plain.work()
    assert (shop.ran, job.get_status()) == ([], "failed")
    # A plain worker with the signed class of jobs runs what has verified, once.
    job = shop.queue.enqueue(rq_kit.add, 3)
    worker = rq.SimpleWorker(
        [shop.queue],
        connection=connection,
        job_class=shop.kind.Job,
    )
    worker.death_penalty_class = rq_kit.TimerDeathPenalty
    worker._install_signal_handlers = lambda: None
    worker.work(burst=True, logging_level="CRITICAL")
    shop.push(job.id)
    worker.work(burst=True, logging_level="CRITICAL")
    assert shop.ran == ["add 3 0 for alice"]


def test_moving_to_signatures(connection: Any, shop: Shop, signed: Callable[..., Any]) -> None:
    plain = Shop(connection, ATTEMPTS["unsigned"]())
    fallback = brine.Unsigned()
    moving = Shop(connection, signed(fallback=fallback))
    jobs = [
        plain.queue.enqueue(rq_kit.add, 1, meta={"by": "nobody"}),
        plain.queue.enqueue(rq_kit.flaky, 1, retry=Retry(max=1)),
        moving.queue.enqueue(rq_kit.add, 2),
    ]
    with pytest.warns(brine.UnsignedWarning):
        moving.work()
    assert sorted(shop.ran) == ["add 1 0 for None", "add 2 0 for alice", "flaky", "flaky"]
    assert fallback.count >= 3
    assert [job.return_value() for job in jobs] == [1, "at last", 2]
    # Whoever reads signed results reads these, too, and nobody's key has signed the jobs on the way.
    assert moving.kind.Job.fetch(jobs[0].id, connection=connection).return_value() == 1
    with pytest.raises(brine.Error) as caught:
        shop.kind.Job.fetch(jobs[1].id, connection=connection)
    assert caught.value.reason == "not-an-envelope"
    # The list and the limit hold for them.
    plain.queue.enqueue(rq_kit.add, rq_kit.Evil(), description="evil")
    bomb = plain.queue.enqueue(rq_kit.add, 1)
    shop.forge(bomb, data=zlib.compress(bytes((64 << 20) + 1)))
    moving.work()
    assert shop.reasons() == ["import-not-allowed", "too-large"]
    # A signed job that was altered is no unsigned one.
    job = moving.queue.enqueue(rq_kit.add, 5)
    shop.forge(job, timeout=5)
    moving.work()
    assert shop.reasons()[2:] == ["task-altered"]


@pytest.mark.filterwarnings("ignore::brine.UnsignedWarning")
def test_a_fallback_weakens_nothing_that_is_signed(
    connection: Any, signed: Callable[..., Any]
) -> None:
    """Results and meta of a signed job are signed, and it becomes no unsigned one."""
    plain = Shop(connection, ATTEMPTS["unsigned"]())
    moving = Shop(connection, signed(fallback=brine.Unsigned()))
    forged = plain.queue.enqueue(rq_kit.remember, "seen", job_id="one", meta={"seen": 41})
    plain.work()
    # The unsigned job's own are let through.
    found = moving.kind.Job.fetch("one", connection=connection)
    assert (found.meta, found.return_value()) == ({"seen": 42}, 42)
    fields, results = stored(plain, forged), connection.xrange("rq:results:one")
    forged.delete()
    job = moving.queue.enqueue(rq_kit.remember, "seen", job_id="one")
    moving.forge(job, meta=fields["meta"])
    connection.xadd("rq:results:one", results[0][1])
    moving.work()
    assert (moving.ran, moving.reasons()) == ([], ["not-an-envelope"])
    for read in (job.return_value, job.get_meta, job.refresh):
        with pytest.raises(brine.UnsupportedError) as caught:
            read()
        assert caught.value.reason == "not-an-envelope"
    # With the call that is not signed, too.
    connection.delete(job.key)
    connection.hset(job.key, mapping=fields)
    for read in (job.refresh, job.return_value):
        with pytest.raises(brine.UnsupportedError) as caught:
            read()
        assert caught.value.reason == "not-an-envelope"


@pytest.mark.filterwarnings("ignore::brine.UnsignedWarning")
def test_the_meta_of_an_unsigned_job_stays_unsigned(
    connection: Any, shop: Shop, signed: Callable[..., Any]
) -> None:
    """No worker signs what somebody sent without a signature, so that a signed job of this name could have it."""
    plain = Shop(connection, ATTEMPTS["unsigned"]())
    moving = Shop(connection, signed(fallback=brine.Unsigned()))
    forged = plain.queue.enqueue(rq_kit.remember, "seen", job_id="one", meta={"seen": 41})
    moving.work()
    assert plain.kind.Job.fetch("one", connection=connection).meta == {"seen": 42}
    meta = stored(shop, forged)["meta"]
    forged.delete()
    job = shop.queue.enqueue(rq_kit.remember, "seen", job_id="one")
    shop.forge(job, meta=meta)
    shop.work()
    assert shop.reasons() == ["not-an-envelope"]
