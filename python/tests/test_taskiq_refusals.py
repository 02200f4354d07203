"""What becomes of messages of taskiq that are refused, that cannot be judged or kept now, and of tasks whose result is lost."""

from __future__ import annotations

import asyncio
import errno
import os
import pickle
import re
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import brine

taskiq = pytest.importorskip("taskiq")
pytest.importorskip("taskiq_redis")

from taskiq import TaskiqDepends

import brine.taskiq
from conftest import until
from taskiq_kit import MESSAGE, Shop, Store, plain, store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ("taskiq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_what_a_task_depends_on_is_not_called_for_what_is_refused(
    signed: Callable[..., Shop],
) -> None:
    async def play(shop: Shop, times: int) -> None:
        called: list[str] = []

        @shop.broker.task(task_name="pay")
        async def pay(
            what: str, number: int = TaskiqDepends(lambda: called.append("called"))
        ) -> None:  # type: ignore[func-returns-value]
            pass

        await pay.kiq("a book")
        for _ in range(3):
            await shop.put(shop.sent[0])
        assert called == ["called"] * times

    shop = signed()
    asyncio.run(play(plain(), 3))
    asyncio.run(play(shop, 1))
    assert asyncio.run(shop.reasons()) == ["replayed"] * 2


def test_a_task_waits_until_a_ledger_is_made(
    signed: Callable[..., Shop], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "to-be-made"

    async def play(shop: Shop) -> None:
        await shop.add.kiq(1)
        put = asyncio.create_task(shop.put(shop.sent[0]))
        await until(lambda: "messages of taskiq:shop wait: " in caplog.text)
        assert "brine replay init" in caplog.text
        brine.replay_init(path, accept_older=True)
        await put
        assert (shop.ran, await shop.reasons()) == ([(1, 0, "alice")], [])

    asyncio.run(play(signed(replay_db=path)))


def test_a_task_waits_while_the_trust_file_is_broken(
    signed: Callable[..., Shop], home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = home / "trust.toml"
    whole = path.read_text()

    async def play(shop: Shop) -> None:
        sent = await shop.add.kicker().with_labels(number=7).kiq(1)
        path.write_text("[[signer")
        put = asyncio.create_task(shop.put(shop.sent[0]))
        await until(lambda: "messages of taskiq:shop wait: " in caplog.text)
        path.write_text(whole)
        await put
        assert (shop.ran, await shop.reasons()) == ([(1, 0, "default")], [])
        assert (await sent.wait_result(timeout=5)).labels["number"] == 7

    asyncio.run(play(signed(trust=None, key=None)))


def test_what_cannot_be_judged_at_all_is_kept_and_not_acknowledged(
    signed: Callable[..., Shop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brine._taskiq_broker, "WAIT", timedelta())

    async def play(shop: Shop) -> None:
        acknowledged: list[str] = []
        await shop.add.kiq(1)
        message = taskiq.AckableMessage(data=shop.sent[0], ack=lambda: acknowledged.append("it"))
        with pytest.raises(brine.InputOutputError):
            await shop.broker.receiver.callback(message)
        assert (shop.ran, acknowledged, await shop.reasons()) == ([], [], ["replay-missing"])

    asyncio.run(play(signed(replay_db=tmp_path / "none")))


def test_what_cannot_be_kept_is_not_acknowledged_until_it_is(
    signed: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if b"bm90IHNpZ25lZA==" not in data:
            return write(descriptor, data)
        if "cannot keep" in caplog.text:
            raise OSError(errno.ENOSPC, "no space left")
        # The last bytes that the disk takes.
        return write(descriptor, data[:20])

    async def play(shop: Shop) -> None:
        acknowledged: list[str] = []
        message = taskiq.AckableMessage(data=b"not signed", ack=lambda: acknowledged.append("it"))
        with monkeypatch.context() as patched:
            patched.setattr(brine._taskiq_places.os, "write", full)
            put = asyncio.create_task(shop.broker.receiver.callback(message))
            await until(lambda: caplog.text.count("cannot keep what is refused") >= 2)
            assert acknowledged == []
        await put
        assert acknowledged == ["it"]
        # What the full disk left of it is left out.
        assert await shop.reasons() == ["not-an-envelope"]

    asyncio.run(play(signed()))


class Unpicklable:
    """Does not go into a result."""

    def __reduce__(self) -> Any:
        raise TypeError("not this one")


def test_a_task_whose_result_cannot_be_stored_was_done(url: str, signing: dict[str, Any]) -> None:
    async def play() -> None:
        async with store(url, signing) as shop:
            ran: list[int] = []

            @shop.broker.task(task_name="odd")
            async def odd() -> Any:
                ran.append(1)
                return Unpicklable()

            await odd.kiq()
            message = await shop.redis.rpop("shop")
            delivered = await held_by(shop, message)
            assert delivered.is_settled
            await shop.redis.lpush("shop", message)
            await shop.work()
            assert (ran, await reasons(shop)) == ([1], ["replayed"])

    asyncio.run(play())


async def held_by(shop: Store, message: bytes) -> Any:
    """Do what a worker does with a message, and return what holds its task."""
    found: list[Any] = []
    begin = brine._taskiq_deliveries.Delivery.begin
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            brine._taskiq_deliveries.Delivery,
            "begin",
            lambda delivery, signatures: (found.append(delivery), begin(delivery, signatures)),
        )
        await taskiq.receiver.Receiver(shop.broker, max_async_tasks=1).callback(message)
    return found[0]


async def reasons(shop: Store) -> list[str]:
    return [one.reason for one in await brine.taskiq.refused(shop.broker)]


def test_what_is_refused_of_a_queue_in_redis_is_kept_beside_it(
    url: str, signing: dict[str, Any], tmp_path: Path
) -> None:
    async def play() -> None:
        async with store(url, signing) as shop:
            for _ in range(3):
                await shop.redis.lpush("shop", b"garbage")
            await shop.work()
            (kept,) = await brine.taskiq.refused(shop.broker)
            assert (kept.reason, kept.content) == ("not-an-envelope", b"garbage")
            assert await shop.redis.hlen("brine:refused:taskiq:shop") == 1
            assert list(tmp_path.glob("*.refused")) == []
            # Whoever can write there can put other things in it.
            await shop.redis.hset("brine:refused:taskiq:shop", "x", b"junk")
            assert await reasons(shop) == ["not-an-envelope"]

    asyncio.run(play())


def test_what_was_refused_by_mistake_is_put_back(signed: Callable[..., Shop]) -> None:
    async def play(mistaken: Shop, shop: Shop) -> None:
        await shop.add.kiq(1)
        await mistaken.put(shop.sent.pop())
        (kept,) = await brine.taskiq.refused(shop.broker)
        for _ in range(2):
            await shop.put(kept.content)
        assert shop.ran == [(1, 0, "alice")]
        assert await shop.reasons() == ["unknown-signer", "replayed"]

    somebody = brine.Trust.of({"bob": brine.Key.generate().public})
    asyncio.run(play(signed(trust=somebody), signed()))


def nested(depth: int) -> list[Any]:
    """Return lists in lists."""
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


def deep_label() -> bytes:
    """Return the pickle of a message with lists in lists, deeper than CPython before 3.13 pickles them."""
    whole = pickle.dumps({**MESSAGE, "labels": {"ack_type": "deep"}}, 2)
    before, after = re.split(rb"X\x04\x00\x00\x00deepq.", whole, flags=re.DOTALL)
    return before + b"]" * 900 + b"a" * 899 + after


NO_NUMBER = {"labels": {"a": float("inf")}, "labels_types": {"a": 2}}


@pytest.mark.parametrize(
    "data",
    [pickle.dumps({**MESSAGE, **NO_NUMBER}), deep_label()],
    ids=["what is no number", "deep"],
)
def test_odd_labels_of_nobody_are_refused_and_kept(
    data: bytes, signed: Callable[..., Shop]
) -> None:
    async def play(shop: Shop) -> None:
        acknowledged: list[list[str]] = []

        async def ack() -> None:
            acknowledged.append(await shop.reasons())

        await shop.broker.receiver.callback(taskiq.AckableMessage(data=data, ack=ack))
        assert (shop.ran, acknowledged) == ([], [["task-form"]])

    with pytest.warns(brine.UnsignedWarning):
        asyncio.run(play(signed(fallback=brine.Unsigned())))


def test_deep_arguments_run(signed: Callable[..., Shop], alice: brine.Key) -> None:
    async def play(shop: Shop) -> None:
        signer = brine.Signer(alice, context="taskiq:shop", expires="1h", aad=b"task")
        await shop.put(brine.dumps({**MESSAGE, "args": [nested(400), []]}, signer=signer))
        assert (len(shop.ran), await shop.reasons()) == (1, [])

    asyncio.run(play(signed()))


def test_a_formatter_that_is_replaced_runs_nothing(signed: Callable[..., Shop]) -> None:
    async def play(other: Shop, shop: Shop) -> None:
        shop.broker.with_formatter(other.broker.formatter)
        await other.add.kiq(1)
        with pytest.raises(brine.UsageError, match="with_formatter"):
            await shop.put(other.sent.pop())
        assert shop.ran == []

    asyncio.run(play(plain(), signed()))


def twice(number: int) -> int:
    """Run in another process."""
    return 2 * number


@pytest.mark.skipif(taskiq.__version__ < "0.12", reason="taskiq 0.11 runs none there itself")
def test_functions_that_run_in_other_processes(signed: Callable[..., Shop]) -> None:
    async def play(shop: Shop) -> None:
        task = shop.broker.task(task_name="twice")(twice)
        with ProcessPoolExecutor(1) as executor:
            receiver = taskiq.receiver.Receiver(shop.broker, executor, max_async_tasks=1)
            sent = await task.kiq(4)
            for _ in range(2):
                await receiver.callback(shop.sent[0])
        assert (await sent.wait_result(timeout=5)).return_value == 8
        assert await shop.reasons() == ["replayed"]

    asyncio.run(play(signed()))
