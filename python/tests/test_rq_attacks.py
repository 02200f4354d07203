"""Attacks on RQ by somebody who can read and write Redis and has no key. What succeeds without signatures, and under a
serializer that signs as well as a serializer can, ends as a refusal.

Other values of fields are in test_rq_fields.py, copies in test_rq_replays.py, results, meta and commands in
test_rq_forged_answers.py. Of jobs, RQ reads JSON in signed fields only: there is none to confuse it with.
"""

from __future__ import annotations

import pickle
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine

rq = pytest.importorskip("rq")

from rq import Retry
from rq.registry import ScheduledJobRegistry

import brine.rq
import rq_kit
from brine._objects import pickled
from brine._rq_signatures import NEXT, JobContent
from brine._task_signatures import LEASE, TASK
from rq_kit import Shop, stored

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ("rq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


EVIL = "rq_kit.called_back"


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
    assert shop.reasons() == ["task-moved"]
    # Everything that steers says the same, but for the id.
    shop.connection.delete("rq:brine:refused")
    one = shop.queue.enqueue(rq_kit.delete_user, 7)
    fields = stored(shop, one)
    one.delete()
    shop.connection.hset("rq:job:other", mapping=fields)
    shop.push("other")
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], ["task-moved"])


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
    signatures._trust = brine.Trust.parse(
        f'[[signer]]\nname = "alice"\nkey = "{alice.public}"\nrevoked-at = 2020-01-01T00:00:00Z\n'
    )
    signatures._judge, signatures._ledgers = None, {}
    shop.work()
    assert shop.reasons()[3:] == ["signer-revoked"]
    assert shop.ran == []


def test_strangers_and_whoever_has_left_run_where_nobody_signs(open_shop: Shop) -> None:
    """A stranger needs to know nothing, or the one secret, and nobody takes that from those who leave."""
    call = ("rq_kit.delete_user", None, (7,), {})
    data = (open_shop.kind.serializer or pickle).dumps(call)
    open_shop.connection.hset("rq:job:one", mapping={"data": data, "origin": "shop"})
    open_shop.push("one")
    open_shop.work()
    assert open_shop.ran == ["delete_user 7"]


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


def test_a_signer_sends_no_more_than_the_list_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shop: Shop, signed: Callable[..., Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    shop.queue.enqueue(rq_kit.add, rq_kit.Evil(), description="evil")
    shop.queue.enqueue(rq_kit.add, 1, meta={"evil": rq_kit.Evil()})
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


def test_the_content_of_a_job_has_one_form() -> None:
    content = JobContent("id", {"origin": b"shop"}, b"data", None, None)
    assert JobContent.parsed(vars(content)) == content
    assert NEXT != TASK
