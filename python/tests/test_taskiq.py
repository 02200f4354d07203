"""taskiq with signed tasks: what it does otherwise, it does as before, and attacks that succeed without signatures end as refusals."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
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

taskiq = pytest.importorskip("taskiq")
taskiq_redis = pytest.importorskip("taskiq_redis")

from redis.asyncio import Redis
from taskiq import Context, InMemoryBroker, SimpleRetryMiddleware, TaskiqDepends, TaskiqMiddleware
from taskiq.abc.serializer import TaskiqSerializer
from taskiq.message import BrokerMessage, TaskiqMessage
from taskiq.serializers import PickleSerializer

import brine.taskiq
from server_kit import server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

DATABASE = 9


class HmacSerializer(TaskiqSerializer):
    """JSON with an HMAC: what whoever has the secret can write."""

    def dumpb(self, value: Any) -> bytes:
        data = json.dumps(value).encode()
        return hmac.digest(b"secret", data, hashlib.sha256) + data

    def loadb(self, value: bytes) -> Any:
        if not hmac.compare_digest(hmac.digest(b"secret", value[32:], hashlib.sha256), value[:32]):
            raise ValueError("wrong HMAC")
        return json.loads(value[32:])


KINDS: dict[str, TaskiqSerializer | None] = {"unsigned": None, "hmac": HmacSerializer()}


class Shop:
    """A broker in memory, whose messages somebody takes and puts, and what its tasks did."""

    def __init__(self, serializer: TaskiqSerializer | None, signing: dict[str, Any] | None) -> None:
        self.ran: list[Any] = []
        self.deleted: list[int] = []
        self.sent: list[bytes] = []
        self.seen: list[str] = []
        self.attempts = 0
        self.broker: Any = InMemoryBroker(await_inplace=True)
        self.broker.add_middlewares(SimpleRetryMiddleware(), Watcher(self))
        if serializer is not None:
            self.broker.with_serializer(serializer)
        if signing is not None:
            brine.taskiq.sign(self.broker, **{"queue": "shop", **signing})
        self._kick = self.broker.kick
        self.broker.kick = self.take
        self._register()

    def _register(self) -> None:
        @self.broker.task(task_name="add")
        async def add(a: Any, b: Any = 0, context: Context = TaskiqDepends()) -> Any:  # noqa: B008
            self.ran.append((a, b, context.message.labels.get("signer", "nobody")))
            return a + b

        @self.broker.task(task_name="delete_user")
        def delete_user(number: int) -> None:
            self.deleted.append(number)

        @self.broker.task(task_name="flaky", retry_on_error=True, max_retries=5)
        async def flaky() -> str:
            self.attempts += 1
            if self.attempts < 3:
                raise ValueError("not yet")
            return "at last"

        @self.broker.task(task_name="slow")
        async def slow() -> None:
            self.attempts += 1
            await asyncio.sleep(60)

        self.add, self.delete_user, self.flaky, self.slow = add, delete_user, flaky, slow

    async def take(self, message: BrokerMessage) -> None:
        """Take a message instead of running it."""
        self.sent.append(message.message)

    async def put(self, message: bytes) -> None:
        """Do with a message what a worker does."""
        await self.broker.receiver.callback(message)

    async def work(self) -> None:
        """Run what was sent, and what that sends."""
        while self.sent:
            await self.put(self.sent.pop(0))

    def reasons(self) -> list[str]:
        """Return why tasks were refused."""
        return [one.reason for one in brine.taskiq.refused(self.broker)]


class Watcher(TaskiqMiddleware):
    """Notes what it sees."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self._shop = shop

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        self._shop.seen.append(message.task_name)
        return message


@pytest.fixture
def signing(alice: brine.Key, trust: brine.Trust, seen: Path) -> dict[str, Any]:
    """What alice signs with."""
    return {"key": alice, "trust": trust, "expires": "1d", "replay_db": seen}


@pytest.fixture
def signed(signing: dict[str, Any]) -> Callable[..., Shop]:
    """Makes a shop whose tasks alice signs."""
    return lambda **more: Shop(None, {**signing, **more})


def plain(kind: str = "unsigned") -> Shop:
    """Return a shop without signatures."""
    return Shop(KINDS[kind], None)


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
        assert shop.reasons() == []

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
        assert shop.reasons() == []

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
        assert shop.reasons() == []

    asyncio.run(play(signed()))


# Attacks, by somebody who can read and write what a broker carries and has no key.


def test_relabelled_tasks(signed: Callable[..., Shop]) -> None:
    async def play(other: Shop, shop: Shop) -> None:
        await other.add.kiq(7)
        await other.put(other.sent.pop().replace(b'"add"', b'"delete_user"'))
        assert other.deleted == [7]
        await shop.add.kiq(7)
        message = shop.sent.pop()
        assert message.count(b"\x03add") == 1
        await shop.put(message.replace(b"\x03add", b"\x03foo"))
        assert (shop.ran, shop.deleted, shop.reasons()) == ([], [], ["signature-bad"])
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
    assert shop.reasons() == ["replayed"] * 2


def test_a_message_that_is_read_twice_is_no_replay(signed: Callable[..., Shop]) -> None:
    async def play(shop: Shop) -> None:
        await shop.add.kiq(1)
        for _ in range(3):
            assert shop.broker.formatter.loads(shop.sent[0]).task_name == "add"
        await shop.work()
        assert (len(shop.ran), shop.reasons()) == (1, [])

    asyncio.run(play(signed()))


def test_a_copy_of_a_task_that_runs_is_not_acknowledged(signed: Callable[..., Shop]) -> None:
    async def play(shop: Shop) -> None:
        acknowledged: list[str] = []

        def with_ack(name: str) -> taskiq.AckableMessage:
            async def ack() -> None:
                acknowledged.append(name)

            return taskiq.AckableMessage(data=shop.sent[0], ack=ack)

        await shop.slow.kiq()
        first = asyncio.create_task(shop.broker.receiver.callback(with_ack("first")))
        for _ in range(4000):
            if shop.attempts:
                break
            await asyncio.sleep(0.005)
        with pytest.raises(brine.InputOutputError) as caught:
            await shop.broker.receiver.callback(with_ack("second"))
        assert caught.value.reason == "replay-busy"
        assert (shop.attempts, acknowledged, shop.reasons()) == (1, [], ["replay-busy"])
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

    asyncio.run(play(signed()))


def test_a_task_is_held_as_long_as_it_runs(
    signed: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = brine._taskiq_broker
    monkeypatch.setattr(held, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(held, "_keeper", held.LeaseKeeper(1))

    async def play(shop: Shop) -> None:
        await shop.slow.kiq()
        first = asyncio.create_task(shop.put(shop.sent[0]))
        # It would have run out twice.
        await asyncio.sleep(2.5)
        with pytest.raises(brine.InputOutputError):
            await shop.put(shop.sent[0])
        assert (shop.attempts, shop.reasons()) == (1, ["replay-busy"])
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

    asyncio.run(play(signed()))


def test_what_is_refused_is_kept_and_then_acknowledged(signed: Callable[..., Shop]) -> None:
    async def play(shop: Shop) -> None:
        kept: list[list[str]] = []

        async def ack() -> None:
            kept.append(shop.reasons())

        for message in (b"garbage", b""):
            await shop.broker.receiver.callback(taskiq.AckableMessage(data=message, ack=ack))
        assert kept == [["not-an-envelope"], ["not-an-envelope"] * 2]
        assert [one.content for one in brine.taskiq.refused(shop.broker)] == [b"garbage", b""]

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
    assert shop.reasons() == ["context-mismatch"]


class Evil:
    """Runs a command when it is loaded."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


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
        assert shop.reasons() == ["not-an-envelope"]

    asyncio.run(play(Shop(PickleSerializer(), None), signed()))


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
        assert shop.reasons() == ["unknown-signer", "replay-expiry-missing", "expired"]

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
        assert (shop.ran, shop.reasons()) == ([], ["unknown-signer"])

    asyncio.run(play(signed()))


MESSAGE: dict[str, Any] = {
    "task_id": "x",
    "task_name": "add",
    "labels": {},
    "labels_types": {},
    "args": [1],
    "kwargs": {},
}

WRONG: list[Any] = [
    7,
    {},
    {**MESSAGE, "task_name": 7},
    {**MESSAGE, "task_name": "no_such_task"},
    {**MESSAGE, "task_name": "brine:refused"},
    {**MESSAGE, "args": 7},
    {**MESSAGE, "labels": {"a": "text"}, "labels_types": {"a": 2}},
    {**MESSAGE, "labels": {"a": "text"}, "labels_types": {"a": 99}},
    {**MESSAGE, "labels": {"ack_type": "never"}},
]
"""What a trusted signer can sign, and is no task."""


def test_what_a_trusted_signer_sends_and_is_no_task_is_kept(
    signed: Callable[..., Shop], alice: brine.Key
) -> None:
    async def play(shop: Shop) -> None:
        signer = brine.Signer(alice, context="taskiq:shop", expires="1h", aad=b"task")
        for content in WRONG:
            await shop.put(brine.dumps(content, signer=signer))
        assert (shop.ran, shop.reasons()) == ([], ["task-form"] * len(WRONG))
        await shop.put(brine.dumps(MESSAGE, signer=signer))
        assert (len(shop.ran), shop.reasons()) == (1, ["task-form"] * len(WRONG))

    asyncio.run(play(signed()))


FIELDS = {
    "task_id": "other",
    "task_name": "delete_user",
    "labels": {"timeout": "1"},
    "labels_types": {"a": 1},
    "args": [99],
    "kwargs": {"b": 99},
}
"""Another value for each field of a message."""


@pytest.mark.parametrize("field", TaskiqMessage.model_fields)
def test_every_field_is_under_the_signature(field: str, signed: Callable[..., Shop]) -> None:
    async def play(other: Shop, shop: Shop) -> None:
        await other.add.kiq(1)
        changed = json.loads(other.sent.pop())
        read = other.broker.formatter.loads(json.dumps({**changed, field: FIELDS[field]}).encode())
        assert getattr(read, field) == FIELDS[field]
        await shop.add.kiq(1)
        message = shop.sent.pop()
        opened = shop.broker.signatures.open(message, b"task")
        inner = opened.verified.payload
        changed_inner = pickle.dumps({**opened.content, field: FIELDS[field]}, 5)
        assert changed_inner != inner
        # As long as the other, so that nothing else is wrong.
        forged = message.replace(inner, changed_inner[: len(inner)].ljust(len(inner), b"."))
        assert len(forged) == len(message)
        await shop.put(forged)
        assert (shop.ran, shop.deleted, shop.reasons()) == ([], [], ["signature-bad"])

    asyncio.run(play(plain(), signed()))


def test_labels_beside_a_message_steer_the_broker_and_not_the_task(
    signed: Callable[..., Shop],
) -> None:
    async def play(shop: Shop) -> None:
        message = shop.broker.formatter.dumps(TaskiqMessage(**MESSAGE))
        copied = message.model_copy(update={"labels": {"signer": "root", "timeout": "0"}})
        await shop._kick(copied)
        assert (shop.ran, shop.reasons()) == ([(1, 0, "alice")], [])

    asyncio.run(play(signed()))


def test_a_sender_does_not_say_who_signed(signed: Callable[..., Shop]) -> None:
    async def play(shop: Shop) -> None:
        await shop.add.kicker().with_labels(signer=7).kiq(1)
        await shop.work()
        assert (shop.ran, shop.reasons()) == ([(1, 0, "alice")], [])

    asyncio.run(play(signed()))


def test_the_page_says_which_fields_there_are() -> None:
    page = (Path(__file__).parent.parent.parent / "docs/python/taskiq.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")]
    signed = " ".join(row[1] for row in rows if row[2].strip().startswith("yes"))
    for field in TaskiqMessage.model_fields:
        assert f"`{field}`" in signed, field


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
        assert shop.reasons() == ["import-not-allowed"]
        await shop.put(b"{")
        assert shop.reasons() == ["import-not-allowed", "task-form"]

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


def test_what_makes_no_sense_is_refused(
    signing: dict[str, Any], signed: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(brine.UsageError, match="expected a broker"):
        brine.taskiq.sign(7, **signing)
    with pytest.raises(brine.UsageError, match="does not name its queue"):
        brine.taskiq.sign(InMemoryBroker(), **signing)
    with pytest.raises(brine.UsageError, match="it is signed already"):
        brine.taskiq.sign(signed().broker, **signing)
    with pytest.raises(brine.UsageError, match="expected a length of time"):
        signed(expires=5)

    class Results(taskiq.AsyncResultBackend):  # type: ignore[misc]
        async def set_result(self, task_id: str, result: Any) -> None: ...
        async def is_result_ready(self, task_id: str) -> bool: ...
        async def get_result(self, task_id: str, with_logs: bool = False) -> Any: ...

    with pytest.raises(brine.UsageError, match="has no serializer"):
        signed().broker.with_result_backend(Results())
    monkeypatch.setattr("taskiq.__version__", "0.14.0")
    with pytest.raises(brine.UnsupportedError, match=r"taskiq 0\.14\.0 is not known here"):
        signed()


# What follows is with Redis.


class Store:
    """A broker with results in Redis."""

    def __init__(self, url: str, signing: dict[str, Any] | None) -> None:
        self.redis = Redis.from_url(url)
        results = taskiq_redis.RedisAsyncResultBackend(url)
        self.broker = taskiq_redis.ListQueueBroker(url, queue_name="shop")
        self.broker.with_result_backend(results)
        if signing is not None:
            brine.taskiq.sign(self.broker, **signing)

        @self.broker.task(task_name="add")
        async def add(a: int, b: int = 0) -> int:
            return a + b

        @self.broker.task(task_name="wrong")
        async def wrong() -> None:
            raise ValueError("this is wrong")

        self.add, self.wrong = add, wrong

    async def work(self) -> None:
        """Do what a worker does, until nothing is queued."""
        receiver = taskiq.receiver.Receiver(self.broker, max_async_tasks=1)
        while message := await self.redis.rpop("shop"):
            await receiver.callback(message)


@pytest.fixture
def url(servers: Callable[[str], Any]) -> str:
    """Where a database of Redis is."""
    return f"redis://127.0.0.1:{servers('redis').start_of.port}/{DATABASE}"


@asynccontextmanager
async def store(url: str, signing: dict[str, Any] | None) -> AsyncIterator[Store]:
    """Begin with a database that is empty."""
    made = Store(url, signing)
    await made.broker.startup()
    await made.redis.flushdb()
    try:
        yield made
    finally:
        await made.broker.shutdown()
        await made.redis.aclose()


def test_results_in_redis(url: str, signing: dict[str, Any]) -> None:
    async def play() -> None:
        async with store(url, signing) as shop:
            one, wrong = await shop.add.kiq(1, 2), await shop.wrong.kiq()
            await shop.work()
            assert (await one.wait_result(timeout=5)).return_value == 3
            with pytest.raises(ValueError, match="this is wrong"):
                (await wrong.wait_result(timeout=5)).raise_for_error()
            progress = taskiq.depends.progress_tracker.TaskProgress(state="half", meta=50)
            await shop.broker.result_backend.set_progress("x", progress)
            assert await shop.broker.result_backend.get_progress("x") == progress

    asyncio.run(play())


def test_results_of_another_task_and_of_nobody(
    url: str, signing: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def exchange(shop: Store) -> Any:
        one, other = await shop.add.kiq(1), await shop.add.kiq(100)
        await shop.work()
        await shop.redis.set(one.task_id, await shop.redis.get(other.task_id))
        return one

    async def play() -> None:
        async with store(url, None) as shop:
            one = await exchange(shop)
            assert (await one.get_result()).return_value == 100
            await shop.redis.set(one.task_id, pickle.dumps(Evil()))
            with pytest.raises(taskiq.exceptions.ResultGetError):
                await one.get_result()
            assert Path("ran").exists()
        Path("ran").unlink()
        async with store(url, signing) as shop:
            one = await exchange(shop)
            for content, reason in (
                (None, "signature-bad"),
                (pickle.dumps(Evil()), "not-an-envelope"),
            ):
                if content is not None:
                    await shop.redis.set(one.task_id, content)
                with pytest.raises(taskiq.exceptions.ResultGetError) as caught:
                    await one.get_result()
                assert isinstance(caught.value.__cause__, brine.Error)
                assert caught.value.__cause__.reason == reason
            assert not Path("ran").exists()

    asyncio.run(play())


def test_who_sends_tasks_is_not_believed_about_results(
    url: str, signing: dict[str, Any], alice: brine.Key, mallory: brine.Key
) -> None:
    trusted = f"""
[[signer]]
name = "producer"
key = "{alice.public}"
contexts = ["taskiq:shop"]

[[signer]]
name = "worker"
key = "{mallory.public}"
contexts = ["taskiq:shop", "taskiq:shop:results"]
"""

    async def play() -> None:
        given = {**signing, "trust": brine.Trust.parse(trusted)}
        async with store(url, given) as producer, store(url, {**given, "key": mallory}) as worker:
            sent = await producer.add.kiq(1)
            await worker.work()
            result = await sent.get_result()
            assert result.return_value == 1
            # The producer makes a result itself.
            await producer.broker.result_backend.set_result(sent.task_id, result)
            with pytest.raises(taskiq.exceptions.ResultGetError) as caught:
                await sent.get_result()
            assert isinstance(caught.value.__cause__, brine.UntrustedError)
            assert caught.value.__cause__.reason == "context-not-allowed"

    asyncio.run(play())


COUNT = int(os.environ.get("BRINE_TASKS", "200"))
NUDGE = -1

WORKER = """
import brine, brine.taskiq
from pathlib import Path
from taskiq_redis import RedisStreamBroker

here = Path(__file__).parent
key = brine.Key.from_pem((here / "key").read_text())
trust = brine.Trust.of({"alice": key.public})
broker = RedisStreamBroker((here / "url").read_text(), queue_name="soak", consumer_id="0", idle_timeout=200, xread_block=50)
brine.taskiq.sign(broker, key=key, trust=trust, expires="1d", replay_db=here / "seen")
brine._taskiq_broker.LEASE = brine._taskiq_broker.timedelta(seconds=2)

@broker.task(task_name="note")
async def note(number: int) -> None:
    with open(here / "ran", "a") as file:
        file.write(f"{number}\\n")
"""


class Soak:
    """A server of its own, whose workers are killed."""

    def __init__(self, place: Path, signing: dict[str, Any], running: Any) -> None:
        self.place, self.server = place, running
        self.url = f"redis://127.0.0.1:{running.start_of.port}"
        self.redis = Redis.from_url(self.url)
        self.broker: Any = taskiq_redis.RedisStreamBroker(
            self.url, queue_name="soak", consumer_id="0"
        )
        brine.taskiq.sign(self.broker, **signing)
        (place / "soak.py").write_text(WORKER)
        (place / "key").write_text(signing["key"].to_pem())
        (place / "url").write_text(self.url)

        @self.broker.task(task_name="note")
        async def note(number: int) -> None:
            raise AssertionError(number)

        self.note = note

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have a worker at work, and kill it."""
        options = ["--workers", "1", "--max-async-tasks", "10", "--log-level", "CRITICAL"]
        command = [sys.executable, "-m", "taskiq", "worker", "soak:broker", *options]
        # Its own process starts another one, which does the work.
        worker = subprocess.Popen(
            command, cwd=self.place, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            yield
        finally:
            os.killpg(worker.pid, 9)
            worker.wait()

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait for a condition, as long as the test may."""
        turn = 0
        while not await condition():
            await asyncio.sleep(0.02)
            turn += 1
            if turn % 25 == 0:
                # The broker looks for what a dead worker had when something new arrives.
                await self.note.kiq(NUDGE)

    async def is_empty(self) -> bool:
        """Tell whether everything was given out and acknowledged."""
        (group,) = await self.redis.xinfo_groups("soak")
        return group["pending"] == 0 and group["lag"] == 0

    def ran(self) -> list[int]:
        """Return which tasks ran."""
        path = self.place / "ran"
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line) for line in lines if int(line) != NUDGE]

    def refused(self) -> dict[str, set[bytes]]:
        """Return which tasks were refused for which reason."""
        found: dict[str, set[bytes]] = {}
        for one in brine.taskiq.refused(self.broker):
            found.setdefault(one.reason, set()).add(one.content)
        return found


@pytest.mark.time_limit(120 + COUNT)
def test_workers_that_are_killed_and_a_server_that_is_restarted(
    tmp_path: Path, signing: dict[str, Any]
) -> None:
    data = tmp_path / "redis"
    data.mkdir()

    async def play(soak: Soak) -> None:
        await soak.broker.startup()
        for number in range(COUNT):
            await soak.note.kiq(number)
        values = [fields[b"data"] for _, fields in await soak.redis.xrange("soak")]
        altered = [value[:-1] + bytes([value[-1] ^ 1]) for value in values[::10]]
        for value in altered:
            await soak.redis.xadd("soak", {"data": value})
        kills = COUNT // 50
        for kill in range(kills):
            with soak.at_work():
                await soak.until(
                    awaitable(lambda so_many=30 * (kill + 1): len(soak.ran()) >= so_many)
                )
            # Some versions of the broker lock what dead workers had, and a dead worker never unlocks it.
            await soak.redis.delete("autoclaim:taskiq:soak")
            if kill == kills // 2:
                await soak.redis.aclose(close_connection_pool=True)
                await soak.broker.connection_pool.disconnect()
                soak.server.stop()
                soak.server.start()
        with soak.at_work():
            await soak.until(soak.is_empty)
        ran = soak.ran()
        assert set(ran) == set(range(COUNT))
        # A worker that is killed can have done ten tasks at most without a note in the ledger.
        assert len(ran) <= COUNT + 10 * kills
        # What is given out again while it waits or runs, or after it was done, is refused as well.
        assert set(soak.refused()) <= {"signature-bad", "replayed", "replay-busy"}
        assert soak.refused()["signature-bad"] == set(altered)
        for value in values:
            await soak.redis.xadd("soak", {"data": value})
        with soak.at_work():
            await soak.until(soak.is_empty)
        assert soak.ran() == ran
        assert soak.refused()["replayed"] >= set(values)
        print(
            f"{COUNT} tasks, {len(ran)} runs, {kills} workers killed, the server restarted; "
            f"{COUNT // 10} altered and {COUNT} copied ones refused and kept"
        )
        await soak.redis.aclose()
        await soak.broker.shutdown()

    with server("redis", data) as running:
        asyncio.run(play(Soak(tmp_path, signing, running)))


def awaitable(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    """Return a condition that can be awaited."""

    async def asked() -> bool:
        return condition()

    return asked
