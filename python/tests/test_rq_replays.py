"""Copies of jobs of RQ, and jobs that are made to look as if something had happened to them: how often they run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import brine

rq = pytest.importorskip("rq")

from rq import Callback, Retry

import brine.rq
import rq_kit
from brine._objects import pickled
from brine._task_signatures import TASK
from rq_kit import Shop, stored, two_shops

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ("rq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_replays(open_shop: Shop, shop: Shop) -> None:
    for one, expected in ((open_shop, 4), (shop, 1)):
        job = one.queue.enqueue(rq_kit.add, 1)
        fields = stored(one, job)
        one.work()
        one.push(job.id)
        one.work()
        # As it was before it ran.
        one.connection.delete(job.key)
        one.connection.hset(job.key, mapping=fields)
        one.push(job.id)
        one.push(job.id)
        one.work()
        assert len(one.ran) == expected
        one.connection.delete("ran")
    assert shop.reasons() == ["replayed"]
    assert brine.rq.refused(shop.connection)[0].job_id == job.id


def test_a_copy_of_a_job_that_runs_changes_nothing_of_it(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.add, 1)
    shop.work()
    before = stored(shop, job)
    shop.push(job.id)
    shop.work()
    assert stored(shop, job) == before
    assert (job.get_status(), job.return_value()) == ("finished", 1)
    assert shop.connection.llen(shop.queue.intermediate_queue_key) == 0


def test_a_job_that_is_read_twice_before_it_runs_is_no_replay(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.add, 1)
    at_work = shop.worker().job_class
    for _ in range(3):
        assert at_work.fetch(job.id, connection=shop.connection).args == (1,)
    # A worker that was killed before the job began leaves it here.
    shop.connection.lmove(shop.queue.key, shop.queue.intermediate_queue_key)
    shop.push(job.id)
    shop.work()
    assert (len(shop.ran), shop.reasons()) == (1, [])


@pytest.mark.parametrize("retries", [0, 2])
def test_made_up_crashes(retries: int, open_shop: Shop, shop: Shop) -> None:
    """A job that looks abandoned is run again as often as its signer allowed, and not once more."""
    for one, is_signed in ((open_shop, False), (shop, True)):
        more = {"retry": Retry(max=retries)} if retries else {}
        job = one.queue.enqueue(rq_kit.add, 1, **more)
        first = stored(one, job)
        for _ in range(5):
            one.work()
            one.connection.hset(job.key, mapping=first)
            one.fake_a_crash(job)
            one.connection.delete(one.queue.registry_cleaning_key)
        one.work()
        expected = 1 + (5 if retries else 0)
        if is_signed:
            # The right to the second run is in the first envelope, and is used up.
            expected = 1 + min(retries, 1)
        assert len(one.ran) == expected
        one.connection.flushall()


def test_all_retries_of_made_up_crashes(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.add, 1, retry=Retry(max=2))
    for _ in range(6):
        shop.work()
        shop.fake_a_crash(job)
        shop.connection.delete(shop.queue.registry_cleaning_key)
    shop.work()
    assert len(shop.ran) == 3


def test_made_up_crashes_call_back_once(open_shop: Shop, shop: Shop) -> None:
    for one, expected in ((open_shop, 4), (shop, 1)):
        job = one.queue.enqueue(rq_kit.add, 1, on_failure=Callback(rq_kit.called_back))
        first = stored(one, job)
        for _ in range(4):
            one.connection.hset(job.key, mapping=first)
            one.fake_a_crash(job)
            one.connection.delete(one.queue.registry_cleaning_key)
            one.work()
        assert one.ran.count("called back for shop") == expected
        one.connection.delete("ran")
    assert set(shop.reasons()) == {"replayed"}
    # Whoever waits for it is told.
    assert job.get_status() == "failed"
    assert job.id in job.failed_job_registry.get_job_ids()


def test_the_right_of_another_job(shop: Shop) -> None:
    """Nobody who is trusted uses up what is another's."""
    mine, other = (shop.queue.enqueue(rq_kit.add, n, retry=Retry(max=1)) for n in range(2))
    signatures = shop.kind._signatures.of("shop")
    contents = [signatures.open(stored(shop, job)["data"], TASK).content for job in (mine, other)]
    forged = {**contents[0], "next": contents[1]["next"]}
    shop.forge(mine, data=signatures.sign(pickled(forged, False), TASK))
    shop.connection.delete(shop.queue.key)
    for job in (mine, other):
        shop.fake_a_crash(job)
    shop.work()
    assert shop.reasons() == ["task-moved"]
    assert (mine.get_status(), other.return_value()) == ("failed", 1)


def test_jobs_that_look_stuck_call_webhooks_once(
    open_shop: Shop, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = pytest.importorskip("rq.webhook").Webhook
    sent: list[str] = []
    monkeypatch.setattr(webhook, "send", lambda self, *_, **__: sent.append(self.url))
    for one, expected in ((open_shop, 4), (shop, 1)):
        webhooks = [webhook("http://127.0.0.1:1/failed", "failed")]
        job = one.queue.enqueue(rq_kit.add, 1, webhooks=webhooks)
        one.work()
        for _ in range(4):
            one.connection.rpush(one.queue.intermediate_queue_key, job.id)
            one.let_time_pass()
            one.work()
        assert len(sent) == expected
        sent.clear()
    assert shop.reasons() == ["replayed"]


def test_a_job_that_is_made_to_depend_on_another(open_shop: Shop, shop: Shop) -> None:
    for one, expected in ((open_shop, 1), (shop, 0)):
        first = one.queue.enqueue(rq_kit.add, 1)
        done = one.queue.enqueue(rq_kit.add, 2, depends_on=first)
        one.work()
        one.connection.delete("ran")
        other = one.queue.enqueue(rq_kit.add, 3)
        one.connection.sadd(other.dependents_key, done.id)
        one.work()
        assert one.ran.count(f"add 2 0 for {'alice' if one is shop else 'nobody'}") == expected
        assert other.return_value() == 3
        one.connection.delete("ran")
    assert (done.get_status(), shop.reasons()) == ("finished", [])
    # One that waits for nothing ends no other one as failed.
    free = shop.queue.enqueue_in(timedelta(hours=1), rq_kit.add, 4)
    other = shop.queue.enqueue(rq_kit.add, 5)
    shop.connection.sadd(other.dependents_key, free.id)
    shop.work()
    assert (other.return_value(), free.get_status()) == (5, "scheduled")


def test_a_job_that_is_done_is_not_signed_again_for_another_that_is_canceled(shop: Shop) -> None:
    first = shop.queue.enqueue(rq_kit.add, 1)
    done = shop.queue.enqueue(rq_kit.add, 2, depends_on=first)
    shop.work()
    other = shop.queue.enqueue(rq_kit.add, 3)
    for one in (other, first):
        shop.connection.sadd(one.dependents_key, done.id)
        shop.kind.Job.fetch(one.id, connection=shop.connection).cancel(enqueue_dependents=True)
    shop.work()
    assert shop.ran == ["add 1 0 for alice", "add 2 0 for alice"]
    assert (done.get_status(), shop.reasons()) == ("finished", [])


def test_counters(open_shop: Shop, shop: Shop) -> None:
    for one, expected in ((open_shop, 5), (shop, 1)):
        job = one.queue.enqueue(rq_kit.flaky, 100, retry=Retry(max=1))
        one.work(max_jobs=1)
        one.forge(job, retries_left=3)
        one.work()
        assert len(one.ran) == expected
        one.connection.delete("ran")
    assert shop.reasons() == ["task-altered"]


@pytest.mark.parametrize("retries", [0, 1])
def test_a_job_that_looks_abandoned_in_another_queue(
    retries: int,
    open_shop: Shop,
    connection: Any,
    alice: brine.Key,
    mallory: brine.Key,
    seen: Path,
) -> None:
    """Whoever is trusted for one queue names no callback for workers of another one."""
    open_other = Shop(connection, open_shop.kind, "other")
    shop, other = two_shops(connection, alice, mallory, seen)
    for one, sender, expected in ((open_shop, open_other, 1), (shop, other, 0)):
        more = {"retry": Retry(max=retries)} if retries else {}
        back = Callback(rq_kit.called_back)
        job = sender.queue.enqueue(rq_kit.add, 1, on_failure=back, **more)
        one.fake_a_crash(job)
        one.work()
        assert one.ran.count("called back for other") == expected
        if one is open_shop:
            connection.flushall()
    assert (shop.ran, shop.reasons()) == ([], ["context-mismatch"])


def test_a_due_job_that_looks_as_if_it_had_failed(open_shop: Shop, shop: Shop) -> None:
    """A worker that moves it to its queue does not sign it again, so that there are no two that can run."""
    for one, expected in ((open_shop, 2), (shop, 1)):
        job = one.queue.enqueue_at(datetime.now(UTC) - timedelta(seconds=5), rq_kit.add, 1)
        fields = stored(one, job)
        one.forge(job, status="failed")
        one.work(with_scheduler=True)
        one.work()
        one.connection.delete(job.key)
        one.connection.hset(job.key, mapping=fields)
        one.push(job.id)
        one.work()
        assert len(one.ran) == expected
        one.connection.delete("ran")
    assert shop.reasons() == ["replayed"]
