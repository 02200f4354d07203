"""Attacks on RQ by somebody who can read and write Redis and has no key. What succeeds without signatures, and under a
serializer that signs as well as a serializer can, ends as a refusal.
"""

from __future__ import annotations

import json
import pickle
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine
from conftest import wait_until

rq = pytest.importorskip("rq")

from rq import Callback, Repeat, Retry
from rq.command import PUBSUB_CHANNEL_TEMPLATE
from rq.registry import ScheduledJobRegistry

import brine.rq
import rq_kit
from brine._objects import pickled
from brine._rq_signatures import NEXT, STATE, JobContent
from brine._rq_workers import about
from brine._task_signatures import LEASE, TASK
from rq_kit import ATTEMPTS, Shop, stored

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ("rq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EVIL = "rq_kit.called_back"


@pytest.fixture(params=ATTEMPTS)
def open_shop(request: pytest.FixtureRequest, connection: Any) -> Shop:
    """A shop whose jobs are not signed, or whose serializer signs."""
    return Shop(connection, ATTEMPTS[request.param]())


def test_another_callback(open_shop: Shop, shop: Shop) -> None:
    for one, expected in ((open_shop, 1), (shop, 0)):
        job = one.queue.enqueue(rq_kit.add, 1)
        one.forge(job, success_callback_name=EVIL)
        one.work()
        assert one.ran.count("called back for shop") == expected
        one.connection.delete("ran")
    assert shop.reasons() == ["task-altered"]
    # Whoever waits for the job is told, and the worker goes on.
    assert job.get_status() == "failed"
    with pytest.raises(brine.AlteredError) as caught:
        job.refresh()
    assert caught.value.reason == "task-altered"
    assert job.id in job.failed_job_registry.get_job_ids()


def test_the_call_of_another_job(open_shop: Shop, shop: Shop) -> None:
    for one, expected in ((open_shop, "delete_user 7"), (shop, None)):
        other = one.queue.enqueue(rq_kit.delete_user, 7)
        data = stored(one, other)["data"]
        other.delete()
        job = one.queue.enqueue(rq_kit.add, 1)
        one.forge(job, data=data)
        one.work()
        assert one.ran == ([expected] if expected else [])
        one.connection.delete("ran")
    # Everything that steers says the same, but for the id.
    shop.connection.delete("rq:brine:refused")
    one = shop.queue.enqueue(rq_kit.delete_user, 7)
    fields = stored(shop, one)
    one.delete()
    shop.connection.hset("rq:job:other", mapping=fields)
    shop.push("other")
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], ["task-moved"])


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


def test_counters(open_shop: Shop, shop: Shop) -> None:
    for one, expected in ((open_shop, 5), (shop, 1)):
        job = one.queue.enqueue(rq_kit.flaky, 100, retry=Retry(max=1))
        one.work(max_jobs=1)
        one.forge(job, retries_left=3)
        one.work()
        assert len(one.ran) == expected
        one.connection.delete("ran")
    assert shop.reasons() == ["task-altered"]


def test_a_job_in_another_queue(open_shop: Shop, shop: Shop) -> None:
    for one, expected in ((open_shop, 1), (shop, 0)):
        other = one.kind.Queue("other", connection=one.connection)
        job = other.enqueue(rq_kit.add, 1)
        one.push(job.id)
        one.work()
        assert len(one.ran) == expected
        if one is open_shop:
            one.connection.flushall()
    assert shop.reasons() == ["context-mismatch"]
    # It is where it was, and can run there.
    assert job.get_status() == "queued"
    shop.forge(job, origin="shop")
    shop.push(job.id)
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], ["context-mismatch"] * 2)


def test_a_job_that_looks_abandoned_in_another_queue(shop: Shop) -> None:
    other = Shop(shop.connection, shop.kind, "other")
    job = other.queue.enqueue(rq_kit.add, 1, retry=Retry(max=1))
    shop.fake_a_crash(job)
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], ["context-mismatch"])


@pytest.mark.parametrize("inflates", [True, False])
def test_bombs(
    inflates: bool, open_shop: Shop, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    inflated: list[int] = []
    decompress = zlib.decompress

    def counted(data: bytes) -> bytes:
        found = decompress(data)
        inflated.append(len(found))
        return found

    monkeypatch.setattr(zlib, "decompress", counted)
    one = open_shop if inflates else shop
    job = one.queue.enqueue(rq_kit.add, 1)
    for field in ("data", "exc_info"):
        one.forge(job, **{field: zlib.compress(bytes(30_000_000))})
    one.work()
    assert one.ran == []
    if inflates:
        assert max(inflated) == 30_000_000
    else:
        assert inflated == []
        assert shop.reasons() == ["not-an-envelope"]
    other = one.queue.enqueue(rq_kit.add, 2)
    one.work()
    one.connection.xadd(
        f"rq:results:{other.id}",
        {"type": 2, "exc_string": pickle.codecs.encode(zlib.compress(bytes(30_000_000)), "base64")},
    )
    if not inflates:
        with pytest.raises(brine.Error) as caught:
            other.latest_result()
        assert caught.value.reason == "not-an-envelope"
        assert inflated == []


def test_strangers_and_revoked_and_expired_signers(
    shop: Shop,
    alice: brine.Key,
    mallory: brine.Key,
    signed: Callable[..., Any],
) -> None:
    stranger = Shop(shop.connection, signed(key=mallory))
    stranger.queue.enqueue(rq_kit.add, 1)
    shop.work()
    assert shop.reasons() == ["unknown-signer"]
    # One that does not expire.
    job = shop.queue.enqueue(rq_kit.add, 2)
    endless = brine.Signer(alice, context="rq:shop", aad=TASK)
    content = shop.kind._signatures.of("shop").open(stored(shop, job)["data"], TASK).content
    shop.forge(job, data=brine.dumps(content, signer=endless))
    shop.work()
    assert shop.reasons()[1:] == ["replay-expiry-missing"]
    # Her key is revoked, or two days pass, while a job waits.
    shop.queue.enqueue(rq_kit.add, 3)
    later = datetime.now(UTC) + timedelta(days=2)
    signatures = shop.kind._signatures.of("shop")
    trust = signatures._trust
    signatures._judge = brine.Verifier(trust, context="rq:shop", aad=TASK, now=later)
    shop.work()
    signatures._judge = None
    assert shop.reasons()[2:] == ["expired"]
    shop.queue.enqueue(rq_kit.add, 4)
    signatures._trust = brine.Trust.of({"somebody": mallory.public})
    signatures._judge, signatures._ledgers = None, {}
    shop.work()
    assert shop.reasons()[3:] == ["unknown-signer"]
    assert shop.ran == []


def test_what_anybody_sent_long_ago_runs_where_nobody_signs(open_shop: Shop) -> None:
    job = open_shop.queue.enqueue(rq_kit.add, 1)
    open_shop.forge(job, created_at="2001-01-01T00:00:00.000000Z")
    open_shop.work()
    assert len(open_shop.ran) == 1


def test_what_became_void_between_reading_and_running(shop: Shop, mallory: brine.Key) -> None:
    shop.queue.enqueue(rq_kit.add, 1)
    signatures = shop.kind._signatures.of("shop")
    somebody = brine.Trust.of({"somebody": mallory.public})
    signatures._ledgers[LEASE] = brine.Verifier(
        somebody, context="rq:shop", aad=TASK, replay_db=signatures._replay_db
    )
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], ["unknown-signer"])


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


def test_a_scheduled_job_that_is_moved_forward(open_shop: Shop, shop: Shop) -> None:
    for one, expected in ((open_shop, 2), (shop, 0)):
        when = datetime.now(UTC) + timedelta(hours=1)
        first = one.queue.enqueue_at(when, rq_kit.add, 1)
        registry = ScheduledJobRegistry(queue=one.queue)
        one.connection.zadd(registry.key, {first.id: 1})
        second = one.queue.enqueue_at(when, rq_kit.add, 2)
        # Failed jobs are requeued, but not by workers.
        one.forge(second, status="failed")
        one.push(second.id)
        one.work(with_scheduler=True)
        one.work()
        assert len(one.ran) == expected
        one.connection.delete("ran")
    # They wait for their time, as their signer meant them.
    for job in (first, second):
        assert (job.get_status(), registry.get_scheduled_time(job)) == (
            "scheduled",
            when.replace(microsecond=0),
        )
        assert shop.kind.Job.fetch(job.id, connection=shop.connection).signer == "alice"
    assert shop.reasons() == []


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


def test_without_a_ledger_or_a_trust_file_no_job_is_refused(
    tmp_path: Path, shop: Shop, signed: Callable[..., Any], home: Path
) -> None:
    job = shop.queue.enqueue(rq_kit.add, 1)
    blind = Shop(shop.connection, signed(replay_db=tmp_path / "none"))
    (home / "trust.toml").write_text("this is no trust file")
    lost = Shop(shop.connection, signed(trust=None))
    for one in (blind, lost):
        one.work()
        assert shop.connection.lrange(shop.queue.key, 0, -1) == [job.id.encode()]
        assert shop.connection.llen(shop.queue.intermediate_queue_key) == 0
        assert (job.get_status(), shop.reasons(), shop.ran) == ("queued", [], [])
    shop.work()
    assert (job.return_value(), shop.reasons()) == (1, [])


class Evil:
    """Runs a command when it is loaded."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


def test_a_signer_sends_no_more_than_the_list_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop: Shop, signed: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    shop.queue.enqueue(rq_kit.add, Evil(), description="evil")
    shop.queue.enqueue(rq_kit.add, 1, meta={"evil": Evil()})
    shop.work()
    assert not Path("ran").exists()
    assert (shop.ran, shop.reasons()) == ([], ["import-not-allowed"] * 2)
    allowed = Shop(shop.connection, signed(allow={"alice": ["std", "decimal:Decimal"], "*": []}))
    allowed.queue.enqueue(rq_kit.add, 1)
    allowed.work()
    assert shop.ran == ["add 1 0 for alice"]


def test_what_a_trusted_signer_signs_that_is_no_job(shop: Shop) -> None:
    signatures = shop.kind._signatures.of("shop")
    job = shop.queue.enqueue(rq_kit.add, 1, retry=Retry(max=1))
    good = signatures.open(stored(shop, job)["data"], TASK).content
    wrong = [
        7,
        {},
        {**good, "more": 1},
        {**good, "fields": {"origin": "shop"}},
        {**good, "fields": [1]},
        {**good, "data": "text"},
        {**good, "not_before": "now"},
        {**good, "next": 5},
        {**good, "data": pickled(7, False)},
    ]
    for content in wrong:
        shop.forge(job, data=signatures.sign(pickled(content, False), TASK), status="queued")
        shop.connection.delete(shop.queue.key)
        shop.push(job.id)
        shop.work()
    assert (shop.ran, shop.reasons()) == ([], ["task-form"] * len(wrong))
    # The right to a retry is no job.
    shop.forge(job, data=good["next"], status="queued")
    shop.push(job.id)
    shop.work()
    assert shop.reasons()[len(wrong) :] == ["signature-bad"]


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
    shop.connection.rpush(shop.queue.intermediate_queue_key, "none")
    last = shop.queue.enqueue(rq_kit.add, 4)
    shop.work()
    assert [job.return_value() for job in (good, last)] == [1, 4]
    assert shop.reasons() == ["task-form"] * 4
    shop.connection.zadd(shop.queue.started_job_registry.key, {b"\xff": 1})
    shop.connection.delete(shop.queue.registry_cleaning_key)
    other = shop.queue.enqueue(rq_kit.add, 5)
    shop.work()
    assert other.return_value() == 5


def test_plain_workers_and_plain_jobs(connection: Any, shop: Shop) -> None:
    # An unsigned job runs in no signed worker, and a signed one in no worker that would not verify it.
    plain = Shop(connection, ATTEMPTS["unsigned"]())
    plain.queue.enqueue(rq_kit.add, 1)
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], ["not-an-envelope"])
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


def whole_job(one: Shop) -> Any:
    """Enqueue a job that has all that a job can have, and waits for another one that is done."""
    parent = one.queue.enqueue(rq_kit.add, 0)
    one.work()
    one.connection.delete("ran")
    back = Callback(rq_kit.called_back, timeout=10)
    given: dict[str, Any] = {
        "on_success": back,
        "on_failure": back,
        "on_stopped": back,
        "retry": Retry(max=2, interval=[1, 2]),
        "repeat": Repeat(times=2, interval=60),
        "depends_on": rq.job.Dependency(jobs=[parent], allow_failure=True, enqueue_at_front=True),
        "job_timeout": 60,
        "result_ttl": 60,
        "failure_ttl": 60,
        "ttl": 600,
        "description": "all",
        "meta": {"by": "alice"},
    }
    webhook = getattr(rq, "Webhook", None)
    if webhook is not None:
        given["webhooks"] = [webhook("http://127.0.0.1:1/", "finished")]
    return one.queue.enqueue(rq_kit.add, 1, **given)


OTHERS: dict[str, Any] = {
    "created_at": "2001-01-01T00:00:00.000000Z",
    "dependency_ids": json.dumps(["other"]),
    "webhooks": json.dumps([{"url": "http://127.0.0.1:2/", "job_status": "finished"}]),
    "retry_intervals": json.dumps([0]),
    "repeat_intervals": json.dumps([0]),
    "origin": "other",
    "group_id": "other",
    "dependency_id": "other",
    "description": "other",
    "success_callback_name": "rq_kit.delete_user",
    "failure_callback_name": "rq_kit.delete_user",
    "stopped_callback_name": "rq_kit.delete_user",
    "rate_limit_key": "other",
}
"""Another value for each field that is no number."""

MORE = (
    "number_of_retries",
    "enqueue_at_front_on_retry",
    "rate_limit_key",
    "rate_limit_concurrency",
)
"""Fields that this job does not have, and that a job can have."""


def fields_of(one: Shop) -> list[str]:
    """Return the fields that a job can have in this version."""
    made = rq.job.Job("any", connection=one.connection)
    more = {name for name in MORE if hasattr(made, name)}
    return sorted({*stored(one, whole_job(one)), *more, "a_field_of_tomorrow"})


def test_every_field_is_under_the_signature(connection: Any, shop: Shop) -> None:
    names = fields_of(shop)
    told = []
    for name in names:
        if name in {*STATE, "data", "meta"}:
            continue
        connection.flushall()
        job = whole_job(shop)
        shop.forge(job, **{name: OTHERS.get(name, 99)})
        shop.work()
        assert shop.ran == [], name
        (one,) = brine.rq.refused(connection)
        told.append(name)
        if name == "origin":
            assert one.reason == "context-mismatch"
        else:
            assert (one.reason, one.message) == (
                "task-altered",
                f"{name!r} is not what was signed",
            )
        # Another one that is left out.
        connection.flushall()
        job = whole_job(shop)
        if name in stored(shop, job) and name != "origin":
            connection.hdel(job.key, name)
            shop.work()
            assert (shop.ran, shop.reasons()) == ([], ["task-altered"]), name
    assert len(told) >= 20


def test_a_plain_job_takes_any_value_of_a_field(connection: Any) -> None:
    plain = Shop(connection, ATTEMPTS["hmac"]())
    for name in fields_of(plain):
        if name in {*STATE, "data", "meta", "a_field_of_tomorrow"}:
            continue
        job = whole_job(plain)
        plain.forge(job, **{name: OTHERS.get(name, 99)})
        found = rq.job.Job.fetch(job.id, connection=connection, serializer=rq_kit.HmacSerializer)
        changed = found.to_dict().get(name)
        if name != "dependency_id":
            assert str(changed) == str(OTHERS.get(name, 99)) or name in {
                "enqueue_at_front",
                "allow_dependency_failures",
                "enqueue_at_front_on_retry",
                "webhooks",
            }, name


def test_the_page_says_which_fields_there_are(shop: Shop) -> None:
    page = (Path(__file__).parent.parent.parent / "docs/python/rq.md").read_text()
    signed_rows = "\n".join(line for line in page.splitlines() if line.endswith("| yes |"))
    other_rows = "\n".join(line for line in page.splitlines() if "| no" in line)
    for name in fields_of(shop):
        if name in STATE:
            assert f"`{name}`" in other_rows, name
        elif name not in {"data", "meta", "a_field_of_tomorrow"}:
            assert f"`{name}`" in signed_rows, name


def test_every_byte_of_a_job_is_under_the_signature(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.add, 1)
    data = stored(shop, job)["data"]
    at_work = shop.worker().job_class
    for at in range(len(data)):
        shop.forge(job, data=data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], status="queued")
        assert at_work.fetch_many([job.id], shop.connection) == [None], at
    assert "task-form" not in shop.reasons()


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
    plain.queue.enqueue(rq_kit.add, Evil(), description="evil")
    bomb = plain.queue.enqueue(rq_kit.add, 1)
    shop.forge(bomb, data=zlib.compress(bytes((64 << 20) + 1)))
    moving.work()
    assert shop.reasons() == ["import-not-allowed", "too-large"]
    # A signed job that was altered is no unsigned one.
    job = moving.queue.enqueue(rq_kit.add, 5)
    shop.forge(job, timeout=5)
    moving.work()
    assert shop.reasons()[2:] == ["task-altered"]


def test_the_content_of_a_job_has_one_form() -> None:
    content = JobContent("id", {"origin": b"shop"}, b"data", None, None)
    assert JobContent.parsed(vars(content)) == content
    assert NEXT != TASK
