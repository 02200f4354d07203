"""arq with signed jobs: what it does otherwise, it does as before, and attacks that succeed without signatures end as refusals."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import pickle
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine

arq = pytest.importorskip("arq")

from arq.connections import RedisSettings
from arq.constants import abort_jobs_ss, in_progress_key_prefix, job_key_prefix, result_key_prefix
from arq.jobs import DeserializationError, Job, JobStatus
from arq.worker import Retry, Worker, func

import brine.arq
from server_kit import Server, server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

DATABASE = 7
"""Other tests have others on the same server."""


def hmac_of(data: bytes) -> bytes:
    """Return what whoever has the secret knows."""
    return hmac.digest(b"secret", data, hashlib.sha256)


def hmac_dumps(job: Any) -> bytes:
    """Serialize a job with an HMAC."""
    data = pickle.dumps(job)
    return hmac_of(data) + data


def hmac_loads(data: bytes) -> Any:
    """Verify an HMAC, and load the job."""
    if not hmac.compare_digest(hmac_of(data[32:]), data[:32]):
        raise ValueError("wrong HMAC")
    return pickle.loads(data[32:])


KINDS: dict[str, dict[str, Any]] = {
    "unsigned": {},
    "hmac": {"job_serializer": hmac_dumps, "job_deserializer": hmac_loads},
}
"""arq without signatures: as it is, and with the best serializer of a secret."""


class Shop:
    """A pool, functions, and what they did."""

    def __init__(
        self, port: int, queue: str, options: dict[str, Any], signing: dict[str, Any] | None
    ) -> None:
        self.ran: list[Any] = []
        self.deleted: list[int] = []
        self.queue, self._options, self._signing = queue, options, signing
        self.place = RedisSettings(port=port, database=DATABASE)
        self.pool: Any = None
        self.attempts = 0

    async def connect(self) -> None:
        """Make the pool."""
        self.pool = await arq.create_pool(
            self.place, default_queue_name=self.queue, **self._options
        )
        if self._signing is not None:
            brine.arq.sign(self.pool, **self._signing)

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return the settings of a worker."""

        async def add(ctx: dict[str, Any], a: Any, b: Any = 0) -> Any:
            self.ran.append((a, b, ctx.get("signer", "nobody")))
            return a + b

        async def delete_user(_ctx: dict[str, Any], number: int) -> None:
            self.deleted.append(number)

        async def flaky(_ctx: dict[str, Any]) -> str:
            self.attempts += 1
            if self.attempts < 3:
                raise Retry
            return "at last"

        async def slow(_ctx: dict[str, Any]) -> None:
            self.attempts += 1
            await asyncio.sleep(60)

        made = {
            "functions": [func(one, name=one.__name__) for one in (add, delete_user, flaky, slow)],
            "queue_name": self.queue,
            "redis_settings": self.place,
            "burst": True,
            "poll_delay": 0.01,
            "handle_signals": False,
            **self._options,
            **more,
        }
        return made if self._signing is None else brine.arq.sign(made, **self._signing)

    async def work(self, **more: Any) -> None:
        """Do what there is."""
        worker = Worker(**self.settings(**more))
        await worker.async_run()
        await worker.close()

    async def put(self, job_id: str, value: bytes, score: int = 1) -> None:
        """Queue a value, as somebody does who can write to Redis."""
        await self.raw.set(job_key_prefix + job_id, value)
        await self.raw.zadd(self.queue, {job_id: score})

    async def taken(self, job_id: str) -> bytes:
        """Take what is queued."""
        value: bytes = await self.raw.getdel(job_key_prefix + job_id)
        await self.raw.zrem(self.queue, job_id)
        return value

    @property
    def raw(self) -> Any:
        """Redis, as somebody has it who can write to it."""
        return arq.ArqRedis(self.pool.connection_pool)

    async def reasons(self) -> list[str]:
        """Return why jobs were refused."""
        return [one.reason for one in await brine.arq.refused(self.pool)]


class Shops:
    """Makes shops on one server, and closes them."""

    def __init__(self, port: int, signing: dict[str, Any]) -> None:
        self._port, self._signing = port, signing
        self._made: list[Shop] = []

    async def signed(self, queue: str = "shop", **signing: Any) -> Shop:
        """Return a shop whose jobs alice signs."""
        return await self._connected(Shop(self._port, queue, {}, {**self._signing, **signing}))

    async def plain(self, kind: str = "unsigned", queue: str = "shop") -> Shop:
        """Return a shop without signatures."""
        return await self._connected(Shop(self._port, queue, KINDS[kind], None))

    async def _connected(self, shop: Shop) -> Shop:
        await shop.connect()
        self._made.append(shop)
        return shop

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Shops]:
        """Begin with a server that is empty."""
        first = await self.plain()
        await first.raw.flushdb()
        try:
            yield self
        finally:
            for shop in self._made:
                await shop.pool.aclose()


Scene = "Callable[[Callable[[Shops], Awaitable[None]]], None]"


@pytest.fixture
def signing(alice: brine.Key, trust: brine.Trust, seen: Path) -> dict[str, Any]:
    """What alice signs with."""
    return {"key": alice, "trust": trust, "expires": "1d", "replay_db": seen}


@pytest.fixture
def scene(servers: Callable[[str], Any], signing: dict[str, Any]) -> Scene:
    """Plays a scene with a server."""
    port = servers("redis").start_of.port

    def play(scene: Callable[[Shops], Awaitable[None]]) -> None:
        async def main() -> None:
            async with Shops(port, signing).open() as shops:
                await scene(shops)

        asyncio.run(main())

    return play


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


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, for a time that is long for any machine."""
    for _ in range(4000):
        if condition():
            return
        await asyncio.sleep(0.005)
    pytest.fail("waited in vain")


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


# Attacks, by somebody who can read and write Redis and has no key. Each is tried on arq as it is and with a serializer that
# checks an HMAC, as far as that lets it through, and on what is signed.


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


class Evil:
    """Runs a command when it is loaded."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


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
        begin = brine._arq_pool.Delivery.begin

        def revoked(delivery: Any, length: timedelta) -> Any:
            delivery._pool.signatures._trust = brine.Trust.of({"mallory": mallory.public})
            return begin(delivery, length)

        monkeypatch.setattr(brine._arq_pool.Delivery, "begin", revoked)
        await shop.work()
        assert (shop.ran, await shop.reasons()) == ([], ["unknown-signer"])
        with pytest.raises(brine.UntrustedError):
            await Job(job.job_id, shop.pool).result(timeout=5)

    scene(play)


def test_who_sends_jobs_is_not_believed_about_results(
    scene: Scene, alice: brine.Key, mallory: brine.Key
) -> None:
    trusted = f"""
[[signer]]
name = "producer"
key = "{alice.public}"
contexts = ["arq:shop"]

[[signer]]
name = "worker"
key = "{mallory.public}"
contexts = ["arq:shop", "arq:shop:results"]
"""

    async def play(shops: Shops) -> None:
        given = {"trust": brine.Trust.parse(trusted)}
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


JOB = {"t": None, "f": "add", "a": (1,), "k": {}, "et": 1, "id": "x", "eta": None}

WRONG: list[tuple[Any, str]] = [
    (7, "task-form"),
    ({**JOB, "f": 7}, "task-form"),
    ({**JOB, "a": 7}, "task-form"),
    ({**JOB, "k": []}, "task-form"),
    ({**JOB, "k": {7: 7}}, "task-form"),
    ({**JOB, "t": "1"}, "task-form"),
    ({**JOB, "t": -1}, "task-form"),
    ({**JOB, "t": 2**64}, "task-form"),
    ({**JOB, "et": None}, "task-form"),
    ({**JOB, "et": 2**60}, "task-form"),
    ({**JOB, "eta": "now"}, "task-form"),
    ({**JOB, "id": None}, "task-moved"),
    ({key: value for key, value in JOB.items() if key != "id"}, "task-moved"),
]
"""What a trusted signer can sign, and is no job."""


@pytest.mark.parametrize("at", range(len(WRONG)))
def test_what_a_trusted_signer_sends_and_is_no_job_ends_no_worker(
    at: int, scene: Scene, alice: brine.Key
) -> None:
    content, reason = WRONG[at]

    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        signer = brine.Signer(alice, context="arq:shop", expires="1h", aad=b"task")
        await shop.put("x", brine.dumps(content, signer=signer))
        await shop.pool.enqueue_job("add", 1)
        await shop.work()
        assert (len(shop.ran), await shop.reasons()) == (1, [reason])

    scene(play)


def test_the_job_of_these_tests_is_one(scene: Scene, alice: brine.Key) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        signer = brine.Signer(alice, context="arq:shop", expires="1h", aad=b"task")
        await shop.put("x", brine.dumps(JOB, signer=signer))
        await shop.work()
        assert (len(shop.ran), await shop.reasons()) == (1, [])

    scene(play)


FIELDS = {
    "f": "delete_user",
    "a": (99,),
    "k": {"b": 99},
    "t": 99,
    "et": 99,
    "id": "other",
    "eta": 99,
}
"""Another value for each field of a job."""


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_a_job_is_under_the_signature(field: str, scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        job = await shop.pool.enqueue_job("add", 1)
        value = await shop.taken(job.job_id)
        opened = shop.pool.signatures.open(value, b"task")
        assert set(opened.content) == set(FIELDS)
        inner = opened.verified.payload
        other = pickle.dumps({**opened.content, field: FIELDS[field]}, 5)
        assert other != inner
        # As long as the other, so that nothing else is wrong.
        forged = value.replace(inner, other[: len(inner)].ljust(len(inner), b"."))
        assert len(forged) == len(value)
        await shop.put(job.job_id, forged)
        await shop.work()
        assert (shop.ran, shop.deleted) == ([], [])
        assert await shop.reasons() == ["signature-bad"]

    scene(play)


async def is_aborted(shop: Shop, job: Any) -> bool:
    await shop.raw.zadd(abort_jobs_ss, {job.job_id: 1})
    await shop.work(allow_abort_jobs=True)
    return shop.ran == []


async def is_deferred(shop: Shop, job: Any) -> bool:
    await shop.raw.zadd(shop.queue, {job.job_id: 2**43})
    await shop.work(max_burst_jobs=0)
    return await job.status() is JobStatus.deferred


async def is_held_up(shop: Shop, job: Any) -> bool:
    await shop.raw.set(in_progress_key_prefix + job.job_id, b"1")
    await shop.work(max_burst_jobs=0)
    return await job.status() is JobStatus.in_progress


async def has_no_tries_left(shop: Shop, job: Any) -> bool:
    await shop.raw.set(f"arq:retry:{job.job_id}", 99)
    await shop.work()
    return shop.ran == []


async def is_gone(shop: Shop, job: Any) -> bool:
    await shop.taken(job.job_id)
    await shop.work()
    return shop.ran == []


UNSIGNED = {
    "arq:abort": is_aborted,
    "arq:in-progress:": is_held_up,
    "arq:retry:": has_no_tries_left,
    "later": is_deferred,
    "is there at all": is_gone,
}
"""What no signature is about, and what it does."""


@pytest.mark.parametrize("what", UNSIGNED)
def test_what_is_not_under_the_signature(what: str, scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        job = await shop.pool.enqueue_job("add", 1)
        assert await UNSIGNED[what](shop, job)
        assert await shop.reasons() == []

    scene(play)


def test_the_page_says_what_is_signed_and_what_is_not() -> None:
    page = (Path(__file__).parent.parent.parent / "docs/python/arq.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")]
    signed = " ".join(row[1] for row in rows if row[2].strip().startswith("yes"))
    unsigned = " ".join(row[1] for row in rows if row[2].strip().startswith("no"))
    for field in FIELDS:
        assert f"`{field}`" in signed, field
    for what in UNSIGNED:
        assert what in unsigned, what


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
        with pytest.raises(brine.UsageError, match="has no serializer"):
            brine.arq.sign(other.pool, **signing)

    scene(play)
    with pytest.raises(brine.UsageError, match="expected a pool"):
        brine.arq.sign(7, **signing)
    with pytest.raises(brine.UsageError, match="have no serializer"):
        brine.arq.sign(dict(KINDS["hmac"]), **signing)
    with pytest.raises(brine.UsageError, match="expected a length of time"):
        brine.arq.sign({}, **{**signing, "expires": 5})
    monkeypatch.setattr("brine.arq.VERSION", "0.29.0")
    with pytest.raises(brine.UnsupportedError, match=r"arq 0\.29\.0 is not known here"):
        brine.arq.sign({}, **signing)


COUNT = int(os.environ.get("BRINE_TASKS", "200"))

WORKER = """
import brine, brine.arq
from arq.connections import RedisSettings
from pathlib import Path

here = Path(__file__).parent
key = brine.Key.from_pem((here / "key").read_text())
trust = brine.Trust.of({"alice": key.public})

async def note(ctx, number):
    with open(here / "ran", "a") as file:
        file.write(f"{number}\\n")

class WorkerSettings:
    functions = [note]
    queue_name = "soak"
    poll_delay = 0.01
    job_timeout = 1
    max_tries = 1000
    keep_result = 0
    redis_settings = RedisSettings(port=int((here / "port").read_text()))

brine.arq.sign(WorkerSettings, key=key, trust=trust, expires="1d", replay_db=here / "seen")
"""


class Soak:
    """A server of its own, whose workers are killed."""

    def __init__(self, place: Path, signing: dict[str, Any], running: Server) -> None:
        self.place, self._signing, self._server = place, signing, running
        self.pool: Any = None
        (place / "soak.py").write_text(WORKER)
        (place / "key").write_text(signing["key"].to_pem())
        (place / "port").write_text(str(running.start_of.port))

    async def connect(self) -> None:
        """Make a pool, and forget the one there was."""
        place = RedisSettings(port=self._server.start_of.port)
        pool = await arq.create_pool(place, default_queue_name="soak")
        self.pool = brine.arq.sign(pool, **self._signing)

    async def restart(self) -> None:
        """Restart the server, as after a loss of power."""
        await self.pool.aclose(close_connection_pool=True)
        self._server.stop()
        self._server.start()
        await self.connect()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have a worker at work, and kill it."""
        command = [sys.executable, "-m", "arq", "soak.WorkerSettings"]
        worker = subprocess.Popen(command, cwd=self.place, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            worker.kill()
            worker.wait()

    async def until_empty(self) -> None:
        """Have two workers do everything there is."""
        with self.at_work(), self.at_work():
            while await self.pool.zcard("soak"):
                await asyncio.sleep(0.01)

    async def put(self, job_id: str, value: bytes) -> None:
        """Queue a value, as somebody does who can write to Redis."""
        await arq.ArqRedis(self.pool.connection_pool).set(job_key_prefix + job_id, value)
        await self.pool.zadd("soak", {job_id: 1})

    def ran(self) -> list[int]:
        """Return which jobs ran."""
        path = self.place / "ran"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    async def reasons(self) -> list[str]:
        """Return why jobs were refused."""
        return [one.reason for one in await brine.arq.refused(self.pool)]


@pytest.mark.time_limit(60 + COUNT)
def test_workers_that_are_killed_and_a_server_that_is_restarted(
    tmp_path: Path, signing: dict[str, Any]
) -> None:
    data = tmp_path / "redis"
    data.mkdir()

    async def play(soak: Soak) -> None:
        await soak.connect()
        values = {}
        for number in range(COUNT):
            job = await soak.pool.enqueue_job("note", number)
            values[job.job_id] = await arq.ArqRedis(soak.pool.connection_pool).get(
                job_key_prefix + job.job_id
            )
        for at, value in enumerate(list(values.values())[::10]):
            await soak.put(f"altered-{at}", value[:-1] + bytes([value[-1] ^ 1]))
        kills = COUNT // 50
        for kill in range(kills):
            with soak.at_work():
                await until(lambda so_many=30 * (kill + 1): len(soak.ran()) >= so_many)
            if kill == kills // 2:
                await soak.restart()
            # Else arq waits for a quarter of a minute until it gives out what the worker had.
            for name in await soak.pool.keys(in_progress_key_prefix + "*"):
                await soak.pool.delete(name)
        await soak.until_empty()
        ran = soak.ran()
        assert set(ran) == set(range(COUNT))
        # A worker that is killed can have done ten jobs at most without an answer.
        assert len(ran) <= COUNT + 10 * kills
        assert await soak.reasons() == ["signature-bad"] * (COUNT // 10)
        for job_id, value in values.items():
            await soak.put(job_id, value)
        await soak.until_empty()
        # A worker that was killed had stored ten results at most without a note in the ledger.
        again = len(soak.ran()) - len(ran)
        assert again <= 10 * kills
        assert (await soak.reasons()).count("replayed") == COUNT - again
        print(
            f"{COUNT} jobs, {len(ran)} runs, {kills} workers killed, the server restarted; {COUNT // 10} altered "
            f"ones refused and kept, and {COUNT - again} of {COUNT} copied ones"
        )
        await soak.pool.aclose(close_connection_pool=True)

    with server("redis", data) as running:
        asyncio.run(play(Soak(tmp_path, signing, running)))
