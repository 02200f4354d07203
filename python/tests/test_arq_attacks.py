"""Attacks on arq, by somebody who can read and write Redis and has no key.

Each is tried on arq as it is and with a serializer that checks an HMAC, as far as that lets it through, and on what is signed. arq
inflates nothing, so there are no bombs, and has no control commands: what aborts a job is outside the signature (test_arq_fields.py).
"""

from __future__ import annotations

import asyncio
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import brine

pytest.importorskip("arq")

from arq.constants import in_progress_key_prefix, job_key_prefix, result_key_prefix
from arq.jobs import DeserializationError, Job, JobStatus
from arq.worker import Worker

import brine.arq
from arq_kit import JOB, KINDS, Evil, Scene, Shops
from conftest import trust_for, until

pytest_plugins = ("arq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_relabelled_jobs(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        plain, shop = await shops.plain(), await shops.signed()
        job = await plain.pool.enqueue_job("add", 7)
        changed = pickle.loads(await plain.taken(job.job_id))
        await plain.put(job.job_id, pickle.dumps({**changed, "f": "delete_user"}))
        await plain.work()
        assert plain.deleted == [7]
        job = await shop.pool.enqueue_job("add", 7)
        value = await shop.taken(job.job_id)
        assert value.count(b"\x03add") == 1
        await shop.put(job.job_id, value.replace(b"\x03add", b"\x03foo"))
        await shop.work()
        assert (shop.ran, shop.deleted, await shop.reasons()) == ([], [], ["signature-bad"])

    scene(play)


@pytest.mark.parametrize("kind", KINDS)
def test_data_that_is_moved_to_another_job(kind: str, scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        for shop, is_refused in ((await shops.plain(kind), False), (await shops.signed(), True)):
            one = await shop.pool.enqueue_job("add", 1)
            other = await shop.pool.enqueue_job("delete_user", 2)
            await shop.put(one.job_id, await shop.taken(other.job_id))
            await shop.work()
            assert shop.deleted == ([] if is_refused else [2])
        assert await shop.reasons() == ["task-moved"]
        with pytest.raises(DeserializationError):
            await one.result(timeout=5)

    scene(play)


@pytest.mark.parametrize("kind", KINDS)
def test_replays(kind: str, scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        for shop, times in ((await shops.plain(kind), 3), (await shops.signed(), 1)):
            job = await shop.pool.enqueue_job("add", 1)
            value = await shop.raw.get(job_key_prefix + job.job_id)
            for _ in range(3):
                await shop.put(job.job_id, value)
                await shop.work()
            assert len(shop.ran) == times
            # What the job has returned stays, whatever is sent in its name.
            assert await job.result(timeout=5) == 1
        # It is the same message: it is kept once.
        assert await shop.reasons() == ["replayed"]

    scene(play)


def test_a_job_that_exceeded_its_time_limit_does_not_run_again(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        job = await shop.pool.enqueue_job("slow")
        value = await shop.raw.get(job_key_prefix + job.job_id)
        await shop.work(job_timeout=0.05)
        await shop.put(job.job_id, value)
        await shop.work(job_timeout=0.05)
        assert (shop.attempts, await shop.reasons()) == (1, ["replayed"])

    scene(play)


def test_a_copy_of_a_job_that_was_aborted_does_not_run(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        job = await shop.pool.enqueue_job("slow")
        value = await shop.raw.get(job_key_prefix + job.job_id)
        worker = asyncio.create_task(shop.work(allow_abort_jobs=True))
        await until(lambda: shop.attempts == 1)
        assert await job.abort(timeout=20, poll_delay=0.01)
        await worker
        await shop.put(job.job_id, value)
        await shop.work()
        assert (shop.attempts, await shop.reasons()) == (1, ["replayed"])

    scene(play)


def test_a_job_that_is_run_already_is_tried_when_nobody_holds_it(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        for shop, attempts in ((await shops.plain(), 2), (await shops.signed(), 1)):
            await shop.raw.flushdb()
            job = await shop.pool.enqueue_job("slow")
            workers = [Worker(**shop.settings(job_timeout=20)) for _ in range(2)]
            first = asyncio.create_task(workers[0].async_run())
            await until(lambda shop=shop: shop.attempts == 1)
            await shop.raw.delete(in_progress_key_prefix + job.job_id)
            second = asyncio.create_task(workers[1].async_run())
            # The first one sees it as well.
            await until(
                lambda shop=shop, workers=workers: (
                    shop.attempts == 2 or any(worker.jobs_retried for worker in workers)
                )
            )
            assert shop.attempts == attempts
            assert await shop.raw.zscore(shop.queue, job.job_id) is not None
            for task in (first, second):
                task.cancel()
            await asyncio.gather(first, second, return_exceptions=True)
            for worker in workers:
                await worker.close()
        assert await shop.reasons() == []

    scene(play)


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_of_another_queue(kind: str, scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        pairs = (
            (await shops.plain(kind, "other"), await shops.plain(kind), 1),
            (await shops.signed("other"), await shops.signed(), 0),
        )
        for other, shop, times in pairs:
            job = await other.pool.enqueue_job("add", 1)
            await shop.put(job.job_id, await other.taken(job.job_id))
            await shop.work()
            assert len(shop.ran) == times
        assert await shop.reasons() == ["context-mismatch"]

    scene(play)


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_that_are_sent_ahead_of_their_time(kind: str, scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        for shop, times in ((await shops.plain(kind), 1), (await shops.signed(), 0)):
            job = await shop.pool.enqueue_job("add", 1, _defer_by=3600)
            await shop.raw.zadd(shop.queue, {job.job_id: 1})
            await shop.work(max_burst_jobs=1)
            assert len(shop.ran) == times
        # It waits again for its time.
        assert await job.status() == JobStatus.deferred
        assert await shop.reasons() == []

    scene(play)


@pytest.mark.parametrize("kind", KINDS)
def test_results_of_another_job(kind: str, scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        for shop, is_refused in ((await shops.plain(kind), False), (await shops.signed(), True)):
            await shop.raw.flushdb()
            one = await shop.pool.enqueue_job("add", 1, 1)
            other = await shop.pool.enqueue_job("add", 100, 100)
            await shop.work()
            taken = await shop.raw.get(result_key_prefix + other.job_id)
            await shop.raw.set(result_key_prefix + one.job_id, taken)
            if not is_refused:
                assert await one.result(timeout=5) == 200
                continue
            for read in (one.result, one.result_info, shop.pool.all_job_results):
                with pytest.raises(brine.AlteredError) as caught:
                    await read()
                assert caught.value.reason == "signature-bad"

    scene(play)


def test_a_job_as_a_result_and_a_result_as_a_job(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        job = await shop.pool.enqueue_job("add", 1)
        value = await shop.raw.get(job_key_prefix + job.job_id)
        await shop.raw.set(result_key_prefix + job.job_id, value)
        with pytest.raises(brine.AlteredError) as caught:
            await job.result()
        assert caught.value.reason == "signature-bad"
        await shop.work()
        result = await shop.raw.get(result_key_prefix + job.job_id)
        await shop.put(job.job_id, result)
        await shop.work()
        assert (len(shop.ran), await shop.reasons()) == (1, ["signature-bad"])

    scene(play)


def test_unsigned_pickles(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def play(shops: Shops) -> None:
        plain, shop = await shops.plain(), await shops.signed()
        await plain.put("x", pickle.dumps(Evil()))
        await plain.work()
        assert Path("ran").exists()
        Path("ran").unlink()
        await shop.put("x", pickle.dumps(Evil()))
        await shop.work()
        # Not even where somebody reads a job or a result by its id alone.
        await shop.raw.set(result_key_prefix + "y", pickle.dumps(Evil()))
        await shop.raw.set(job_key_prefix + "z", pickle.dumps(Evil()))
        for job_id in "yz":
            with pytest.raises(brine.UnsupportedError) as caught:
                await Job(job_id, shop.pool).info()
            assert caught.value.reason == "not-an-envelope"
        assert not Path("ran").exists()
        assert await shop.reasons() == ["not-an-envelope"]

    scene(play)


def test_a_signer_sends_no_more_than_the_list_allows(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        await shop.pool.enqueue_job("add", Evil())
        await shop.work()
        assert not Path("ran").exists()
        assert await shop.reasons() == ["import-not-allowed"]
        allowed = await shops.signed(allow={"alice": "std", "*": []})
        await allowed.pool.enqueue_job("add", 1)
        await allowed.work()
        assert allowed.ran == [(1, 0, "alice")]

    scene(play)


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_of_strangers_of_one_who_has_left_and_of_long_ago(kind: str, scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        # All three write what anybody can write, or whoever has or had the secret. JOB is of 1970.
        shop = await shops.plain(kind)
        write = KINDS[kind].get("job_serializer", pickle.dumps)
        for _ in range(3):
            await shop.put("x", write(JOB))
            await shop.work()
        assert len(shop.ran) == 3

    scene(play)


def test_strangers_and_what_has_no_end(scene: Scene, alice: brine.Key, mallory: brine.Key) -> None:
    async def play(shops: Shops) -> None:
        shop, stranger = await shops.signed(), await shops.signed(key=mallory)
        await stranger.pool.enqueue_job("add", 1)
        await shop.work()
        endless = brine.Signer(alice, context="arq:shop", aad=b"task")
        await shop.put("x", brine.dumps(JOB, signer=endless))
        await shop.work()
        assert shop.ran == []
        assert await shop.reasons() == ["unknown-signer", "replay-expiry-missing"]

    scene(play)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('contexts = ["arq:other"]', "context-not-allowed"),
        ("revoked-at = 2020-01-01T00:00:00Z", "signer-revoked"),
    ],
)
def test_signers_who_are_trusted_for_another_queue_or_no_more(
    line: str, reason: str, scene: Scene, alice: brine.Key
) -> None:
    trust = brine.Trust.parse(f'[[signer]]\nname = "alice"\nkey = "{alice.public}"\n{line}\n')

    async def play(shops: Shops) -> None:
        shop = await shops.signed(trust=trust)
        await shop.pool.enqueue_job("add", 1)
        await shop.work()
        assert (shop.ran, await shop.reasons()) == ([], [reason])

    scene(play)


@pytest.mark.parametrize(
    ("options", "hours", "expected"),
    [
        ({}, 23, []),
        ({}, 25, ["expired"]),
        ({"_expires": 3600}, 2, ["expired"]),
        # It may wait for its time, and a day more.
        ({"_defer_by": timedelta(hours=10)}, 33, []),
        ({"_defer_by": timedelta(hours=10)}, 35, ["expired"]),
    ],
)
def test_jobs_expire(
    options: dict[str, Any],
    hours: int,
    expected: list[str],
    scene: Scene,
    trust: brine.Trust,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = datetime.now(UTC) + timedelta(hours=hours)
    later = brine.Verifier(trust, context="arq:shop", aad=b"task", now=now)

    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        await shop.pool.enqueue_job("add", 1, **options)
        for job_id in await shop.raw.zrange(shop.queue, 0, -1):
            await shop.raw.zadd(shop.queue, {job_id: 1})
        monkeypatch.setattr(brine._task_signatures.TaskSignatures, "_verifier", lambda *_: later)
        await shop.work(max_burst_jobs=1)
        assert await shop.reasons() == expected

    scene(play)


def test_a_signer_who_is_revoked_after_a_job_was_read(
    scene: Scene, mallory: brine.Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        job = await shop.pool.enqueue_job("add", 1)
        begin = brine._arq_deliveries.Delivery.begin

        def revoked(delivery: Any) -> Any:
            delivery._pool.signatures._trust = brine.Trust.of({"mallory": mallory.public})
            return begin(delivery)

        monkeypatch.setattr(brine._arq_deliveries.Delivery, "begin", revoked)
        await shop.work()
        assert (shop.ran, await shop.reasons()) == ([], ["unknown-signer"])
        with pytest.raises(brine.UntrustedError):
            await Job(job.job_id, shop.pool).result(timeout=5)

    scene(play)


def test_who_sends_jobs_is_not_believed_about_results(
    scene: Scene, alice: brine.Key, mallory: brine.Key
) -> None:
    trust = trust_for(
        ("producer", alice, ["arq:shop"]),
        ("worker", mallory, ["arq:shop", "arq:shop:results"]),
    )

    async def play(shops: Shops) -> None:
        given = {"trust": trust}
        producer = await shops.signed(key=alice, **given)
        worker = await shops.signed(key=mallory, **given)
        job = await producer.pool.enqueue_job("add", 1, 2)
        await worker.work()
        assert (worker.ran, await job.result(timeout=5)) == ([(1, 2, "producer")], 3)
        # The producer makes a result itself.
        result = await worker.raw.get(result_key_prefix + job.job_id)
        forged = producer.pool.open_result(result_key_prefix + job.job_id, result)
        await producer.pool.set(result_key_prefix + "other", bytes(forged))
        with pytest.raises(brine.UntrustedError) as caught:
            await Job("other", producer.pool).result()
        assert caught.value.reason == "context-not-allowed"

    scene(play)
