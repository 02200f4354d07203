"""Attacks on taskiq, by somebody who can read and write what a broker carries and has no key.

Each is tried on taskiq as it is and with a serializer that checks an HMAC, as far as that lets it through, and on what is signed. taskiq
has no control commands, inflates nothing, so there are no bombs, and has a task in one message: there is nothing to move to another one but
results (test_taskiq_results.py).
"""

from __future__ import annotations

import asyncio
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine

taskiq = pytest.importorskip("taskiq")
pytest.importorskip("taskiq_redis")

from taskiq.message import TaskiqMessage
from taskiq.serializers import PickleSerializer

import brine.taskiq
from conftest import until
from taskiq_kit import KINDS, MESSAGE, Evil, Shop, plain

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ("taskiq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_relabelled_tasks(signed: Callable[..., Shop]) -> None:
    async def play(other: Shop, shop: Shop) -> None:
        await other.add.kiq(7)
        await other.put(other.sent.pop().replace(b'"add"', b'"delete_user"'))
        assert other.deleted == [7]
        await shop.add.kiq(7)
        message = shop.sent.pop()
        assert message.count(b"\x03add") == 1
        await shop.put(message.replace(b"\x03add", b"\x03foo"))
        assert (shop.ran, shop.deleted, await shop.reasons()) == ([], [], ["signature-bad"])
        # No function of others sees anything of it.
        assert set(shop.seen) == {"brine:refused"}

    asyncio.run(play(plain(), signed()))


@pytest.mark.parametrize("kind", KINDS)
def test_replays(kind: str, signed: Callable[..., Shop]) -> None:
    async def play(shop: Shop, times: int) -> None:
        sent = await shop.add.kiq(1)
        for _ in range(3):
            await shop.put(shop.sent[0])
        assert len(shop.ran) == times
        assert (await sent.wait_result(timeout=5)).return_value == 1

    shop = signed()
    asyncio.run(play(plain(kind), 3))
    asyncio.run(play(shop, 1))
    assert asyncio.run(shop.reasons()) == ["replayed"] * 2


def test_a_copy_of_a_task_that_runs_waits_for_its_end(
    signed: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(shop: Shop) -> None:
        acknowledged: list[str] = []
        tried: list[object] = []
        begin = brine._taskiq_deliveries.Delivery.begin

        def tries(delivery: Any, signatures: Any) -> None:
            tried.append(delivery)
            begin(delivery, signatures)

        def with_ack(name: str) -> taskiq.AckableMessage:
            async def ack() -> None:
                acknowledged.append(name)

            return taskiq.AckableMessage(data=shop.sent[0], ack=ack)

        monkeypatch.setattr(brine._taskiq_deliveries.Delivery, "begin", tries)
        await shop.held.kiq()
        first = asyncio.create_task(shop.broker.receiver.callback(with_ack("first")))
        await until(lambda: shop.attempts == 1)
        second = asyncio.create_task(shop.broker.receiver.callback(with_ack("second")))
        await until(lambda: len(tried) >= 3)
        assert (shop.attempts, acknowledged, await shop.reasons()) == (1, [], [])
        shop.release.set()
        await asyncio.gather(first, second)
        assert (shop.attempts, acknowledged) == (1, ["first", "second"])
        assert await shop.reasons() == ["replayed"]

    asyncio.run(play(signed()))


def test_a_task_is_held_as_long_as_it_runs(
    signed: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = brine._taskiq_deliveries
    monkeypatch.setattr(held, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(held, "_keeper", held.LeaseKeeper(1))
    monkeypatch.setattr(brine._taskiq_broker, "WAIT", timedelta())

    async def play(shop: Shop) -> None:
        await shop.slow.kiq()
        first = asyncio.create_task(shop.put(shop.sent[0]))
        # It would have run out twice.
        await asyncio.sleep(2.5)
        with pytest.raises(brine.InputOutputError):
            await shop.put(shop.sent[0])
        assert (shop.attempts, await shop.reasons()) == (1, ["replay-busy"])
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

    asyncio.run(play(signed()))


def test_what_is_refused_is_kept_and_then_acknowledged(signed: Callable[..., Shop]) -> None:
    async def play(shop: Shop) -> None:
        kept: list[list[str]] = []

        async def ack() -> None:
            kept.append(await shop.reasons())

        for message in (b"garbage", b""):
            await shop.broker.receiver.callback(taskiq.AckableMessage(data=message, ack=ack))
        assert kept == [["not-an-envelope"], ["not-an-envelope"] * 2]
        assert [one.content for one in await brine.taskiq.refused(shop.broker)] == [b"garbage", b""]

    asyncio.run(play(signed()))


@pytest.mark.parametrize("kind", KINDS)
def test_messages_of_another_queue(kind: str, signed: Callable[..., Shop]) -> None:
    async def play(other: Shop, shop: Shop, times: int) -> None:
        await other.add.kiq(1)
        await shop.put(other.sent.pop())
        assert len(shop.ran) == times

    shop = signed()
    asyncio.run(play(plain(kind), plain(kind), 1))
    asyncio.run(play(signed(queue="other"), shop, 0))
    assert asyncio.run(shop.reasons()) == ["context-mismatch"]


def test_unsigned_pickles(
    signed: Callable[..., Shop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def play(other: Shop, shop: Shop) -> None:
        await other.put(pickle.dumps(Evil()))
        assert Path("ran").exists()
        Path("ran").unlink()
        await shop.put(pickle.dumps(Evil()))
        assert not Path("ran").exists()
        assert await shop.reasons() == ["not-an-envelope"]

    asyncio.run(play(Shop(PickleSerializer(), None), signed()))


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_of_strangers_of_one_who_has_left_and_of_long_ago(kind: str) -> None:
    async def play(shop: Shop) -> None:
        # All three write what anybody can write, or whoever has or had the secret. No message says when it was written.
        for _ in range(3):
            await shop.put(shop.broker.serializer.dumpb(MESSAGE))
        assert len(shop.ran) == 3

    asyncio.run(play(plain(kind)))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('contexts = ["taskiq:other"]', "context-not-allowed"),
        ("revoked-at = 2020-01-01T00:00:00Z", "signer-revoked"),
    ],
)
def test_signers_who_are_trusted_for_another_queue_or_no_more(
    line: str, reason: str, signed: Callable[..., Shop], alice: brine.Key
) -> None:
    async def play(shop: Shop) -> None:
        await shop.add.kiq(1)
        await shop.work()
        assert (shop.ran, await shop.reasons()) == ([], [reason])

    trust = brine.Trust.parse(f'[[signer]]\nname = "alice"\nkey = "{alice.public}"\n{line}\n')
    asyncio.run(play(signed(trust=trust)))


def test_strangers_what_has_no_end_and_what_is_past_it(
    signed: Callable[..., Shop],
    alice: brine.Key,
    mallory: brine.Key,
    trust: brine.Trust,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(stranger: Shop, shop: Shop) -> None:
        await stranger.add.kiq(1)
        await shop.put(stranger.sent.pop())
        endless = brine.Signer(alice, context="taskiq:shop", aad=b"task")
        await shop.put(brine.dumps(MESSAGE, signer=endless))
        await shop.add.kiq(2)
        now = datetime.now(UTC) + timedelta(days=2)
        later = brine.Verifier(trust, context="taskiq:shop", aad=b"task", now=now)
        monkeypatch.setattr(shop.broker.signatures, "_judge", later)
        await shop.work()
        assert shop.ran == []
        assert await shop.reasons() == ["unknown-signer", "replay-expiry-missing", "expired"]

    asyncio.run(play(signed(key=mallory), signed()))


def test_a_signer_who_is_revoked_after_a_task_was_read(
    signed: Callable[..., Shop], mallory: brine.Key
) -> None:
    async def play(shop: Shop) -> None:
        loads = shop.broker.formatter.loads

        def revoked(message: bytes) -> TaskiqMessage:
            found = loads(message)
            shop.broker.signatures._trust = brine.Trust.of({"mallory": mallory.public})
            return found

        shop.broker.formatter.loads = revoked
        await shop.add.kiq(1)
        await shop.work()
        assert (shop.ran, await shop.reasons()) == ([], ["unknown-signer"])

    asyncio.run(play(signed()))


def test_a_function_runs_nothing_that_has_not_begun(signed: Callable[..., Shop]) -> None:
    async def play(other: Shop, shop: Shop) -> None:
        # Somebody takes the formatter and the middleware out.
        shop.broker.formatter = other.broker.formatter
        shop.broker.middlewares.pop(0)
        for task in (other.add, other.delete_user):
            await task.kiq(1)
            await shop.put(other.sent.pop())
        assert (shop.ran, shop.deleted) == ([], [])

    asyncio.run(play(plain(), signed()))
