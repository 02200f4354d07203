"""What is no job of RQ at all ends no worker and hides nothing, and what is refused is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import brine

rq = pytest.importorskip("rq")

from rq import Retry
from rq.exceptions import StopRequested

import brine.rq
import rq_kit
from brine import _rq_refusals, _unpickler
from brine._rq_refusals import KEPT
from brine._task_signatures import OpenedTask, TaskSignatures
from rq_kit import Shop, stored

pytest_plugins = ("rq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_garbage_ends_no_worker(shop: Shop) -> None:
    good = shop.queue.enqueue(rq_kit.add, 1)
    bad = shop.queue.enqueue(rq_kit.add, 2)
    shop.forge(bad, status="nonsense")
    dated = shop.queue.enqueue(rq_kit.add, 3)
    shop.forge(dated, started_at="yesterday")
    shop.push(b"\xff")
    shop.push("no/name")
    shop.push("")
    shop.connection.set("rq:job:text", "text")
    shop.push("text")
    shop.connection.hset("rq:job:empty", "last_heartbeat", "now")
    shop.push("empty")
    cut = shop.queue.enqueue(rq_kit.add, 6)
    shop.connection.hdel(cut.key, "data")
    shop.connection.rpush(shop.queue.intermediate_queue_key, "none")
    last = shop.queue.enqueue(rq_kit.add, 4)
    shop.work()
    assert [job.return_value() for job in (good, last)] == [1, 4]
    assert sorted(shop.reasons()) == ["not-an-envelope", *["task-form"] * 4]
    assert cut.get_status() == "failed"
    shop.connection.zadd(shop.queue.started_job_registry.key, {b"\xff": 1})
    shop.connection.delete(shop.queue.registry_cleaning_key)
    other = shop.queue.enqueue(rq_kit.add, 5)
    shop.work()
    assert other.return_value() == 5


def test_garbage_in_registries_ends_no_worker(shop: Shop) -> None:
    connection, queue = shop.connection, shop.queue
    connection.sadd("rq:groups", b"\xff", "text")
    connection.set("rq:group:text", "text")
    connection.set("rq:failed:shop", "text")
    connection.sadd("rq:rl-keys", b"\xff")
    connection.zadd("rq:ready:shop", {b"\xff": 1})
    due = queue.enqueue_at(datetime.now(UTC) - timedelta(seconds=5), rq_kit.add, 1)
    connection.zadd(queue.scheduled_job_registry.key, {b"\xff": 1, "no/name": 1})
    lost = queue.enqueue(rq_kit.add, 2, retry=Retry(max=1))
    connection.lpop(queue.key)
    shop.fake_a_crash(lost)
    shop.work(with_scheduler=True)
    assert (due.return_value(), lost.return_value()) == (1, 2)
    assert shop.reasons() == ["task-form"]


def test_names_that_are_no_text(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.add, 1)
    other = shop.queue.enqueue(rq_kit.add, 2)
    shop.connection.hset(job.key, b"\xff", "any")
    shop.forge(other, origin=b"\xff")
    dated = shop.queue.enqueue(rq_kit.add, 3)
    shop.forge(dated, started_at="yesterday")
    for one, reason in ((job, "task-altered"), (other, "context-mismatch"), (dated, "task-form")):
        with pytest.raises(brine.Error) as caught:
            shop.kind.Job.fetch(one.id, connection=shop.connection)
        assert caught.value.reason == reason
    shop.work()
    assert shop.reasons() == ["task-altered", "context-mismatch", "task-form"]
    kept = brine.rq.refused(shop.connection)
    assert (kept[0].content["\\xff"], kept[1].content["origin"]) == (b"any", b"\xff")
    assert job.get_status() == "failed"
    shop.connection.xadd(f"rq:results:{job.id}", {b"\xff": "any"})
    with pytest.raises(brine.UnsupportedError) as caught:
        job.return_value()
    assert caught.value.reason == "not-an-envelope"


def test_the_name_of_an_execution_is_no_name_of_a_job(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.add, 1)
    shop.connection.delete(shop.queue.key)
    shop.push(f"{job.id}:one")
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], [])
    assert shop.connection.llen(shop.queue.intermediate_queue_key) == 0


def test_without_a_place_for_what_is_refused_no_job_is_lost(shop: Shop) -> None:
    """It is away before the job is read, and before it begins."""
    shop.connection.set(KEPT, "no hash")
    altered = shop.queue.enqueue(rq_kit.add, 1)
    shop.forge(altered, timeout=5)
    evil = shop.queue.enqueue(rq_kit.add, rq_kit.Evil(), description="evil")
    for job in (altered, evil):
        shop.work()
        left = [job.id.encode(), *([evil.id.encode()] if job is altered else [])]
        assert shop.connection.lrange(shop.queue.key, 0, -1) == left
        assert shop.connection.llen(shop.queue.intermediate_queue_key) == 0
        assert job.get_status() == "queued"
        shop.connection.lpop(shop.queue.key)
    shop.connection.delete(KEPT)
    for job in (altered, evil):
        shop.push(job.id)
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], ["task-altered", "import-not-allowed"])


def test_what_is_written_to_the_place_of_what_is_refused_hides_nothing(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    job = shop.queue.enqueue(rq_kit.add, 1)
    shop.forge(job, timeout=5)
    fields = stored(shop, job)
    shop.work()
    ((name, _),) = shop.connection.hgetall(KEPT).items()
    for junk in ("junk", "[1]", "{}", '{"at": 1, "content": {}}', "[" * 100_000):
        shop.connection.hset(KEPT, junk[:9], junk)
    assert shop.reasons() == ["task-altered"]
    # It looks kept, before another process has refused it.
    shop.connection.hset(KEPT, name, "junk")
    _rq_refusals._logged.clear()
    caplog.clear()
    for _ in range(2):
        shop.connection.hset(job.key, mapping=fields)
        shop.push(job.id)
        shop.work()
    told = [one.getMessage() for one in caplog.records if one.name == "brine"]
    assert told == [f"refused job {job.id!r} of RQ: 'timeout' is not what was signed"]


@pytest.mark.parametrize("others", [(), ("other",)])
@pytest.mark.parametrize("where", ["verify", "load", "consume"])
def test_a_worker_that_is_asked_to_stop_refuses_nothing(
    where: str, others: tuple[str, ...], shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is at: a handler of a signal raises there."""
    job = shop.queue.enqueue(rq_kit.add, 1)

    def stopped(*_: object, **__: object) -> None:
        raise StopRequested

    place = {
        "verify": (TaskSignatures, "verify"),
        "load": (_unpickler, "load"),
        "consume": (TaskSignatures, "consume"),
    }
    with monkeypatch.context() as patched:
        patched.setattr(*place[where], stopped)
        worker = shop.kind.SimpleWorker(["shop", *others], connection=shop.connection)
        worker._install_signal_handlers = worker.subscribe = lambda: None
        assert not worker.work(burst=True, logging_level="CRITICAL")
    assert (shop.reasons(), job.get_status()) == ([], "queued")
    assert shop.connection.lrange(shop.queue.key, 0, -1) == [job.id.encode()]
    assert shop.connection.llen(shop.queue.intermediate_queue_key) == 0
    shop.work()
    assert (job.return_value(), shop.reasons()) == (1, [])


def test_a_worker_that_is_asked_to_stop_while_a_job_begins_runs_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (shop.queue.enqueue(rq_kit.add, number) for number in range(2))
    worker = shop.worker()
    worker.subscribe = lambda: None
    worker._shutdown_requested_date = datetime.now(UTC)
    consume = TaskSignatures.consume

    def asked_to_stop(self: TaskSignatures, task: OpenedTask) -> None:
        consume(self, task)
        worker._shutdown()

    monkeypatch.setattr(TaskSignatures, "consume", asked_to_stop)
    worker.work(burst=True, logging_level="CRITICAL")
    assert (first.return_value(), second.get_status(), shop.reasons()) == (0, "queued", [])


def test_a_worker_that_is_asked_to_stop_while_it_cleans_stops(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = shop.queue.enqueue(rq_kit.add, 1)

    def stopped(_: object) -> None:
        raise StopRequested

    monkeypatch.setattr("brine._rq_workers.clean_worker_registry", stopped)
    shop.work()
    assert (shop.ran, job.get_status()) == ([], "queued")
