"""What becomes of jobs of arq that are refused, that cannot be judged now, or that arq itself gives up."""

from __future__ import annotations

import asyncio
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import brine

pytest.importorskip("arq")

from arq.constants import abort_jobs_ss, job_key_prefix, result_key_prefix, retry_key_prefix
from arq.worker import Worker

import brine.arq
from arq_kit import JOB, Scene, Shop, Shops
from conftest import until, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ("arq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have jobs that wait be judged again soon."""
    monkeypatch.setattr(brine._arq_jobs, "WAIT", timedelta(milliseconds=50))


def test_a_job_waits_until_a_ledger_is_made(
    scene: Scene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "to-be-made"

    async def play(shops: Shops) -> None:
        shop = await shops.signed(replay_db=path)
        await shop.pool.enqueue_job("add", 1)
        worker = Worker(**shop.settings(max_tries=1))
        task = asyncio.create_task(worker.async_run())
        await until(lambda: worker.jobs_retried >= 3)
        brine.replay_init(path, accept_older=True)
        await task
        await worker.close()
        assert (shop.ran, await shop.reasons()) == ([(1, 0, "alice")], [])

    scene(play)
    # It is said once.
    assert caplog.text.count("jobs of arq:shop wait: ") == 1
    assert "brine replay init" in caplog.text


async def at_work(shop: Shop, breaks: Callable[[], object], mends: Callable[[], object]) -> None:
    """Work while something breaks, until a job was tried in vain, and then until it ran."""
    await shop.pool.enqueue_job("add", 1)
    worker = Worker(**shop.settings(burst=False, max_tries=1))
    task = asyncio.create_task(worker.async_run())
    await until(lambda: len(shop.ran) == 1)
    breaks()
    await shop.pool.enqueue_job("add", 2)
    await until(lambda: worker.jobs_retried >= 3)
    mends()
    await until(lambda: len(shop.ran) == 2)
    await until(lambda: all(one.done() for one in worker.tasks.values()))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await worker.close()
    assert await shop.reasons() == []


@pytest.mark.parametrize("broken", ["[[signer", None])
def test_jobs_wait_while_the_trust_file_is_broken(
    broken: str | None, scene: Scene, home: Path
) -> None:
    path, aside = home / "trust.toml", home / "aside.toml"

    def breaks() -> None:
        path.rename(aside)
        if broken is not None:
            path.write_text(broken)

    async def play(shops: Shops) -> None:
        shop = await shops.signed(trust=None, key=None)
        await at_work(shop, breaks, lambda: aside.rename(path))

    scene(play)


def test_what_cannot_be_kept_is_not_refused(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        job = await shop.pool.enqueue_job("add", 1)
        value = await shop.raw.get(job_key_prefix + job.job_id)
        await shop.work()
        place = "brine:refused:shop"
        await shop.raw.set(place, "of another type")
        await shop.put(job.job_id, value)
        await shop.put("garbage", b"garbage")
        worker = Worker(**shop.settings())
        at_work = asyncio.create_task(worker.async_run())
        await until(lambda: worker.jobs_retried >= 4)
        await shop.raw.delete(place)
        await at_work
        await worker.close()
        assert len(shop.ran) == 1
        assert sorted(await shop.reasons()) == ["not-an-envelope", "replayed"]

    scene(play)


def test_a_job_that_is_too_early_is_not_counted_as_tried(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        job = await shop.pool.enqueue_job("add", 1, _defer_by=timedelta(milliseconds=400))
        await shop.raw.zadd(shop.queue, {job.job_id: 1})
        await shop.work(max_tries=1)
        assert (shop.ran, await shop.reasons()) == ([(1, 0, "alice")], [])
        assert not await shop.raw.exists(retry_key_prefix + job.job_id)

    scene(play)


async def has_too_many_tries(shop: Shop, _job: Any) -> None:
    shop.attempts = -100
    await shop.work(max_tries=2)


async def is_aborted_before_it_runs(shop: Shop, job: Any) -> None:
    await shop.raw.zadd(abort_jobs_ss, {job.job_id: 1})
    await shop.work(allow_abort_jobs=True)


@pytest.mark.parametrize("given_up", [has_too_many_tries, is_aborted_before_it_runs])
def test_a_copy_of_a_job_that_arq_gave_up(given_up: Any, scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        for shop, is_refused in ((await shops.plain(), False), (await shops.signed(), True)):
            await shop.raw.flushdb()
            job = await shop.pool.enqueue_job("flaky")
            value = await shop.raw.get(job_key_prefix + job.job_id)
            await given_up(shop, job)
            before = shop.attempts
            await shop.raw.delete(result_key_prefix + job.job_id)
            await shop.put(job.job_id, value)
            await shop.work(max_tries=2)
            assert (shop.attempts == before) is is_refused
        assert await shop.reasons() == ["replayed"]

    scene(play)


def test_a_job_that_ends_before_it_has_begun_is_not_held(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = brine._arq_deliveries.Delivery.begin

    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        job = await shop.pool.enqueue_job("add", 1)
        worker = Worker(**shop.settings())

        def too_late(delivery: Any) -> None:
            # Its thread goes on when nobody waits for it any more.
            monkeypatch.setattr(brine._arq_deliveries.Delivery, "begin", begin)
            worker.loop.call_soon_threadsafe(worker.job_tasks[job.job_id].cancel)
            wait_until(lambda: delivery._is_over)
            begin(delivery)

        monkeypatch.setattr(brine._arq_deliveries.Delivery, "begin", too_late)
        await worker.async_run()
        await worker.close()
        assert (worker.jobs_retried, worker.jobs_complete) == (1, 1)
        assert (shop.ran, await shop.reasons()) == ([(1, 0, "alice")], [])

    scene(play)


def test_what_fails_ends_no_worker_that_keeps_results_forever(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        await shop.put("x", b"garbage")
        await shop.pool.enqueue_job("add", 1)
        await shop.work(keep_result_forever=True)
        assert (len(shop.ran), await shop.reasons()) == (1, ["not-an-envelope"])
        assert await shop.raw.ttl(result_key_prefix + "x") == -1

    scene(play)


def test_a_warning_that_is_an_error_ends_no_worker(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop, old = await shops.signed(fallback=brine.Unsigned()), await shops.plain()
        await old.pool.enqueue_job("add", 1)
        with warnings.catch_warnings():
            warnings.simplefilter("error", brine.UnsignedWarning)
            await shop.work()
        assert (shop.ran, await shop.reasons()) == ([], ["task-form"])

    scene(play)


def test_what_was_refused_is_read_beside_what_somebody_else_put_there(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        await shop.put("x", b"garbage")
        await shop.work()
        junk = [
            b"junk",
            b"7",
            b"{}",
            b"\xff",
            b"[" * 10_000,
            b'{"at": "0001-01-01", "content": ""}',
        ]
        for number, content in enumerate(junk):
            await shop.raw.hset("brine:refused:shop", str(number), content)
        (found,) = await brine.arq.refused(shop.pool)
        assert (found.reason, found.content) == ("not-an-envelope", b"garbage")

    scene(play)


def test_what_was_refused_by_mistake_is_put_back(scene: Scene, alice: brine.Key) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        mistaken = await shops.signed(trust=brine.Trust.of({"bob": brine.Key.generate().public}))
        await shop.pool.enqueue_job("add", 1)
        await mistaken.work()
        (kept,) = await brine.arq.refused(shop.pool)
        assert kept.reason == "unknown-signer"
        for _ in range(2):
            await shop.put(kept.place, kept.content)
            await shop.work()
        assert (shop.ran, await shop.reasons()) == (
            [(1, 0, "alice")],
            ["unknown-signer", "replayed"],
        )

    scene(play)


def test_a_worker_whose_pool_is_of_another_queue(scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop, other = await shops.signed(), await shops.signed("other")
        await shop.pool.enqueue_job("add", 1)
        worker = Worker(**{**shop.settings(), "redis_pool": other.pool})
        with pytest.raises(
            brine.UsageError, match='the worker is of "arq:shop", and its pool of "arq:other"'
        ):
            await worker.async_run()
        assert await shop.raw.zcard("shop") == 1

    scene(play)


def test_a_signer_cannot_have_a_job_wait_for_ever(scene: Scene, alice: brine.Key) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        signer = brine.Signer(alice, context="arq:shop", expires="1h", aad=b"task")
        await shop.put("x", brine.dumps({**JOB, "f": "brine:later"}, signer=signer))
        await shop.work()
        assert await shop.reasons() == ["task-form"]

    scene(play)
