"""arq with signed jobs: what it does otherwise, it does as before."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import brine

arq = pytest.importorskip("arq")

from arq.jobs import DeserializationError, Job, JobStatus
from arq.worker import Worker

import brine.arq
from arq_kit import KINDS, Evil, Scene, Shops
from conftest import until

pytest_plugins = ("arq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_jobs_run_and_results_come_back(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        job = await shop.pool.enqueue_job("add", 1, b=2)
        assert [(one.function, one.args) for one in await shop.pool.queued_jobs()] == [
            ("add", (1,))
        ]
        assert (await job.info()).kwargs == {"b": 2}
        await shop.work()
        assert shop.ran == [(1, 2, "alice")]
        assert (await job.result(timeout=5), await job.status()) == (3, JobStatus.complete)
        assert [one.result for one in await shop.pool.all_job_results()] == [3]
        # A job that is found by its id, without any deserializer, is read from what has verified.
        found = Job(job.job_id, shop.pool)
        assert (await found.result_info()).result == 3
        # arq has a job of one id once, while its result is there.
        assert await shop.pool.enqueue_job("add", 5, _job_id=job.job_id) is None
        assert await shop.reasons() == []

    scene(play)


def test_retries_failures_and_time_limits(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        job = await shop.pool.enqueue_job("flaky")
        await shop.work()
        assert (await job.result(timeout=5), shop.attempts) == ("at last", 3)
        wrong = await shop.pool.enqueue_job("add", "text", 1)
        missing = await shop.pool.enqueue_job("no_such_function")
        late = await shop.pool.enqueue_job("slow")
        await shop.work(job_timeout=0.1)
        with pytest.raises(TypeError, match="can only concatenate"):
            await wrong.result(timeout=5)
        with pytest.raises(arq.worker.JobExecutionFailed, match="not found"):
            await missing.result(timeout=5)
        with pytest.raises(asyncio.TimeoutError):
            await late.result(timeout=5)
        tried = await shop.pool.enqueue_job("flaky")
        shop.attempts = -10
        await shop.work(max_tries=3)
        with pytest.raises(arq.worker.JobExecutionFailed, match="max 3 retries exceeded"):
            await tried.result(timeout=5)
        assert await shop.reasons() == []

    scene(play)


def test_deferred_jobs_cron_jobs_and_other_queues(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop, other = await shops.signed(), await shops.signed("other")
        later = await shop.pool.enqueue_job("add", 1, _defer_by=timedelta(milliseconds=300))
        until = datetime.now(UTC) + timedelta(milliseconds=200)
        await shop.pool.enqueue_job("add", 2, _defer_until=until)
        assert await later.status() == JobStatus.deferred
        await shop.work()
        assert [ran[0] for ran in shop.ran] == [2, 1]
        sent = await shop.pool.enqueue_job("add", 3, _queue_name="other")
        await other.work()
        assert (other.ran, await sent.result(timeout=5)) == ([(3, 0, "alice")], 3)

        async def tick(_ctx: dict[str, Any]) -> None:
            shop.ran.append("tick")

        await shop.work(cron_jobs=[arq.cron(tick, run_at_startup=True)], max_burst_jobs=1)
        assert shop.ran[2:] == ["tick"]
        assert await shop.reasons() == await other.reasons() == []

    scene(play)


def test_jobs_are_aborted_before_and_while_they_run(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        waiting = await shop.pool.enqueue_job("add", 1, _defer_by=60)
        running = await shop.pool.enqueue_job("slow")
        worker = asyncio.create_task(shop.work(allow_abort_jobs=True))
        assert await waiting.abort(timeout=20, poll_delay=0.01)
        assert await running.abort(timeout=20, poll_delay=0.01)
        await worker
        assert (shop.ran, await shop.reasons()) == ([], [])

    scene(play)


def test_a_worker_that_is_stopped_leaves_its_job_to_the_next_one(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        await shop.pool.enqueue_job("slow")
        worker = Worker(**shop.settings())
        at_work = asyncio.create_task(worker.async_run())
        await until(lambda: shop.attempts == 1)
        at_work.cancel()
        await asyncio.gather(at_work, return_exceptions=True)
        await worker.close()
        await shop.work(job_timeout=0.05)
        assert (shop.attempts, await shop.reasons()) == (2, [])

    scene(play)


def test_a_worker_with_a_pool_and_a_start_of_its_own(scene: Scene, signing: dict[str, Any]) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        plain = await shops.plain()
        plain.pool.default_queue_name = "default"

        async def started(ctx: dict[str, Any]) -> None:
            await ctx["redis"].enqueue_job("add", 1)
            await ctx["redis"].set("something", "else")

        settings = shop.settings(on_startup=started, redis_pool=plain.pool)
        await Worker(**settings).async_run()
        assert shop.ran == [(1, 0, "alice")]
        assert await plain.pool.get("something") == b"else"

    scene(play)


def test_moving_to_signatures(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        fallback = brine.Unsigned()
        old, shop = await shops.plain(), await shops.signed(fallback=fallback)
        sent = await old.pool.enqueue_job("add", 1)
        evil = await old.pool.enqueue_job("add", Evil())
        with pytest.warns(brine.UnsignedWarning):
            await shop.work()
        assert shop.ran == [(1, 0, None)]
        assert fallback.count == 1
        assert await shop.reasons() == ["import-not-allowed"]
        assert (await Job(sent.job_id, shop.pool).result_info()).result == 1
        with pytest.raises(DeserializationError):
            await Job(evil.job_id, shop.pool).result(timeout=5)

    scene(play)


def test_rotation_with_jobs_in_flight(scene: Scene, alice: brine.Key, mallory: brine.Key) -> None:
    async def play(shops: Shops) -> None:
        both = {"trust": brine.Trust.of({"old": alice.public, "new": mallory.public})}
        old, new = await shops.signed(key=alice, **both), await shops.signed(key=mallory, **both)
        await old.pool.enqueue_job("add", 1)
        await new.pool.enqueue_job("add", 2)
        await new.work()
        assert sorted(new.ran) == [(1, 0, "old"), (2, 0, "new")]

    scene(play)


def test_a_function_runs_nothing_that_nobody_has_verified(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop, plain = await shops.signed(), await shops.plain()
        settings = shop.settings()
        # Somebody starts the functions without the pool that verifies.
        settings.update(on_startup=None, job_serializer=None, job_deserializer=None)
        job = await plain.pool.enqueue_job("add", 1)
        worker = Worker(**settings)
        await worker.async_run()
        await worker.close()
        assert shop.ran == []
        with pytest.raises(brine.UsageError, match="nobody has verified it"):
            await job.result(timeout=5)

    scene(play)


def test_what_makes_no_sense_is_refused(
    scene: Scene, signing: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(shops: Shops) -> None:
        shop, other = await shops.signed(), await shops.plain("hmac")
        with pytest.raises(brine.UsageError, match="it is signed already"):
            brine.arq.sign(shop.pool, **signing)
        with pytest.raises(brine.UsageError, match="it is another context"):
            await shop.pool.enqueue_job("add", 1, _queue_name="shop:results")
        with pytest.raises(brine.UsageError, match="has no serializer"):
            brine.arq.sign(other.pool, **signing)

    scene(play)
    with pytest.raises(brine.UsageError, match="expected a pool"):
        brine.arq.sign(7, **signing)
    with pytest.raises(brine.UsageError, match="have no serializer"):
        brine.arq.sign(dict(KINDS["hmac"]), **signing)
    with pytest.raises(brine.UsageError, match="retry_jobs=False loses it"):
        brine.arq.sign({"retry_jobs": False}, **signing)
    with pytest.raises(brine.UsageError, match="it is another context"):
        brine.arq.sign({"queue_name": "shop:results"}, **signing)
    with pytest.raises(brine.UsageError, match="expected a length of time"):
        brine.arq.sign({}, **{**signing, "expires": 5})
    monkeypatch.setattr("brine.arq.VERSION", "0.29.0")
    with pytest.raises(brine.UnsupportedError, match=r"arq 0\.29\.0 is not known here"):
        brine.arq.sign({}, **signing)
