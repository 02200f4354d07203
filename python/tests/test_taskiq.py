"""taskiq with signed tasks: what it does otherwise, it does as before."""

from __future__ import annotations

import asyncio
import pickle
from typing import TYPE_CHECKING, Any

import pytest

import brine

taskiq = pytest.importorskip("taskiq")
taskiq_redis = pytest.importorskip("taskiq_redis")

from taskiq import Context, InMemoryBroker, TaskiqDepends
from taskiq.serializers import PickleSerializer

import brine.taskiq
from taskiq_kit import Evil, Shop, plain

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ("taskiq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_tasks_run_and_results_come_back(signed: Callable[..., Shop]) -> None:
    async def play(shop: Shop) -> None:
        sent = await shop.add.kiq(1, b=2)
        await shop.work()
        assert (await sent.wait_result(timeout=5)).return_value == 3
        assert shop.ran == [(1, 2, "alice")]
        gone = await shop.delete_user.kicker().with_labels(some="label", number=7).kiq(3)
        await shop.work()
        result = await gone.wait_result(timeout=5)
        assert (result.is_err, shop.deleted) == (False, [3])
        assert (result.labels["some"], result.labels["number"]) == ("label", 7)
        wrong = await shop.add.kiq("text", 1)
        await shop.work()
        with pytest.raises(TypeError, match="can only concatenate"):
            (await wrong.wait_result(timeout=5)).raise_for_error()
        assert await shop.reasons() == []

    asyncio.run(play(signed()))


def test_retries_and_requeues_are_signed_anew(signed: Callable[..., Shop]) -> None:
    async def play(shop: Shop) -> None:
        sent = await shop.flaky.kiq()
        await shop.work()
        assert (await sent.wait_result(timeout=5)).return_value == "at last"
        assert shop.attempts == 3

        @shop.broker.task(task_name="again")
        async def again(context: Context = TaskiqDepends()) -> int:  # noqa: B008
            shop.attempts += 1
            if shop.attempts < 5:
                await context.requeue()
            return shop.attempts

        sent = await again.kiq()
        await shop.work()
        assert (await sent.wait_result(timeout=5)).return_value == 5
        assert await shop.reasons() == []

    asyncio.run(play(signed()))


def test_tasks_that_send_tasks(signed: Callable[..., Shop]) -> None:
    async def play(shop: Shop) -> None:
        shop.broker.kick = shop._kick

        @shop.broker.task(task_name="outer")
        async def outer() -> int:
            inner = await shop.add.kiq(1, 2)
            return (await inner.wait_result(timeout=5)).return_value + 10

        sent = await outer.kiq()
        assert (await sent.wait_result(timeout=5)).return_value == 13
        assert await shop.reasons() == []

    asyncio.run(play(signed()))


def test_a_message_that_is_read_twice_is_no_replay(signed: Callable[..., Shop]) -> None:
    async def play(shop: Shop) -> None:
        await shop.add.kiq(1)
        for _ in range(3):
            assert shop.broker.formatter.loads(shop.sent[0]).task_name == "add"
        await shop.work()
        assert (len(shop.ran), await shop.reasons()) == (1, [])

    asyncio.run(play(signed()))


def test_moving_to_signatures(signed: Callable[..., Shop]) -> None:
    async def play(old: Shop, pickling: Shop, shop: Shop, fallback: brine.Unsigned) -> None:
        await old.add.kiq(1)
        await pickling.add.kiq(2)
        with pytest.warns(brine.UnsignedWarning):
            await shop.put(old.sent.pop())
        await shop.put(pickling.sent.pop())
        await shop.put(pickle.dumps(Evil()))
        assert shop.ran == [(1, 0, None), (2, 0, None)]
        assert fallback.count == 2
        assert await shop.reasons() == ["import-not-allowed"]
        await shop.put(b"{")
        assert await shop.reasons() == ["import-not-allowed", "task-form"]

    fallback = brine.Unsigned()
    pickling = Shop(PickleSerializer(), None)
    asyncio.run(play(plain(), pickling, signed(fallback=fallback), fallback))


def test_rotation_with_tasks_in_flight(
    signed: Callable[..., Shop], alice: brine.Key, mallory: brine.Key
) -> None:
    async def play(old: Shop, new: Shop) -> None:
        await old.add.kiq(1)
        await new.add.kiq(2)
        await new.put(old.sent.pop())
        await new.work()
        assert new.ran == [(1, 0, "old"), (2, 0, "new")]

    both = {"trust": brine.Trust.of({"old": alice.public, "new": mallory.public})}
    asyncio.run(play(signed(key=alice, **both), signed(key=mallory, **both)))


def test_what_makes_no_sense_is_refused(
    signing: dict[str, Any], signed: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(brine.UsageError, match="expected a broker"):
        brine.taskiq.sign(7, **signing)
    with pytest.raises(brine.UsageError, match="does not name its queue"):
        brine.taskiq.sign(InMemoryBroker(), **signing)
    with pytest.raises(brine.UsageError, match="it is signed already"):
        brine.taskiq.sign(signed().broker, **signing)
    with pytest.raises(brine.UsageError, match="it is another context"):
        signed(queue="shop:results")
    with pytest.raises(brine.UsageError, match="expected a length of time"):
        signed(expires=5)

    class Results(taskiq.AsyncResultBackend):  # type: ignore[misc]
        async def set_result(self, task_id: str, result: Any) -> None: ...
        async def is_result_ready(self, task_id: str) -> bool: ...
        async def get_result(self, task_id: str, with_logs: bool = False) -> Any: ...

    with pytest.raises(brine.UsageError, match="has no serializer"):
        signed().broker.with_result_backend(Results())
    results = taskiq_redis.RedisAsyncResultBackend("redis://127.0.0.1:1")
    shop, other = signed(), signed(queue="other")
    for _ in range(2):
        shop.broker.with_result_backend(results)
    with pytest.raises(brine.UsageError, match="of taskiq:shop, and the broker of taskiq:other"):
        other.broker.with_result_backend(results)
    monkeypatch.setattr("taskiq.__version__", "0.14.0")
    with pytest.raises(brine.UnsupportedError, match=r"taskiq 0\.14\.0 is not known here"):
        signed()
