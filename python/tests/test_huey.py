"""Huey with signed tasks: what it does otherwise, it does as before, and attacks that succeed without signatures end as refusals."""

from __future__ import annotations

import datetime
import gzip
import os
import pickle
import secrets
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine

huey = pytest.importorskip("huey")

from huey import MemoryHuey, SqliteHuey, chord, crontab, group
from huey.registry import Message
from huey.serializer import Serializer, SignedSerializer
from huey.storage import RedisStorage

import brine.huey
from conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Shop:
    """Tasks, what they did, and a consumer that does what there is."""

    def __init__(self, made: Any) -> None:
        self.huey = made
        self.ran: list[Any] = []
        self.deleted: list[int] = []

        @made.task(context=True, name="add")
        def add(a: Any, b: Any = 0, task: Any = None) -> Any:
            self.ran.append((a, b, getattr(task, "signer", "nobody")))
            return a + b

        @made.task(name="delete_user")
        def delete_user(number: int) -> None:
            self.deleted.append(number)

        @made.task(retries=2, name="flaky")
        def flaky() -> str:
            self.ran.append("flaky")
            if self.ran.count("flaky") < 3:
                raise ValueError("not yet")
            return "at last"

        @made.task(name="total")
        def total(values: list[int]) -> int:
            return sum(values)

        self.add, self.delete_user, self.flaky, self.total = add, delete_user, flaky, total

    def work(self) -> None:
        """Do what the threads of a consumer do, until nothing is due."""
        for task in self.huey.read_schedule():
            self.huey.enqueue(task)
        while (task := self.huey.dequeue()) is not None:
            self.huey.execute(task)

    @property
    def raw(self) -> Any:
        """The storage, as somebody has it who can write to it."""
        return getattr(self.huey.storage, "inner", self.huey.storage)

    def queued(self) -> bytes:
        """Take the message that is queued."""
        data = self.raw.dequeue()
        assert data is not None
        return bytes(data)

    def reasons(self) -> list[str]:
        """Return why messages were refused."""
        return [one.reason for one in brine.huey.refused(self.huey)]


@pytest.fixture
def signed(alice: brine.Key, trust: brine.Trust, seen: Path) -> Callable[..., Shop]:
    """Signs a Huey in the name of alice."""

    def sign(made: Any = None, **options: Any) -> Shop:
        given = {"key": alice, "trust": trust, "expires": "1d", "replay_db": seen, **options}
        return Shop(brine.huey.sign(made or MemoryHuey("shop"), **given))

    return sign


@pytest.fixture(params=["memory", "sqlite", "redis"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, signed: Callable[..., Shop]) -> Shop:
    """A shop on each storage."""
    if request.param == "memory":
        return signed()
    if request.param == "sqlite":
        return signed(SqliteHuey("shop", filename=str(tmp_path / "shop.db")))
    port = request.getfixturevalue("servers")("redis").start_of.port
    place = {"host": "127.0.0.1", "port": port, "blocking": False}
    return signed(huey.Huey(f"shop-{secrets.token_hex(4)}", storage_class=RedisStorage, **place))


def test_tasks_run_and_results_come_back(shop: Shop) -> None:
    result = shop.add(1, b=2)
    shop.work()
    assert result.get() == 3
    assert shop.ran == [(1, 2, "alice")]
    # A result is taken once, unless it is preserved.
    assert shop.add(1)(blocking=False) is None


def test_retries_pipelines_groups_chords_and_errors(shop: Shop) -> None:
    result = shop.flaky()
    shop.work()
    assert (result.get(), shop.ran) == ("at last", ["flaky"] * 3)
    results = shop.huey.enqueue(shop.add.s(1, 1).then(shop.add, 10).then(shop.add, 100))
    shop.work()
    assert results.get() == [2, 12, 112]
    results = shop.huey.enqueue(group([shop.add.s(n, n) for n in range(4)]))
    shop.work()
    assert results.get() == [0, 2, 4, 6]
    result = shop.huey.enqueue(chord([shop.add.s(n, 1) for n in range(3)], shop.total.s()))
    shop.work()
    assert result.get() == 6
    result = shop.add("text", 1)
    shop.work()
    with pytest.raises(huey.exceptions.TaskException, match="can only concatenate"):
        result.get()
    assert shop.reasons() == []


def test_what_waits_for_its_time_is_judged_when_it_comes(
    alice: brine.Key, mallory: brine.Key, seen: Path
) -> None:
    keys = {"alice": alice.public, "worker": mallory.public}
    given = {"trust": brine.Trust.of(keys), "expires": "1d", "replay_db": seen}
    made = MemoryHuey("shop")
    shop = Shop(brine.huey.sign(made, key=alice, **given))
    result = shop.add.schedule((1, 2), delay=0.3)
    message = shop.queued()
    # The worker has a key of its own, and puts back what alice signed.
    worker = Shop(brine.huey.sign(MemoryHuey("shop"), key=mallory, **given))
    worker.raw.enqueue(message)
    worker.work()
    assert [bytes(one) for one in worker.raw.scheduled_items()] == [message]
    assert worker.ran == []
    time.sleep(0.4)
    worker.work()
    assert worker.ran == [(1, 2, "alice")]
    assert worker.huey.result(result.id) == 3
    # Her key is revoked while the next one waits.
    shop.add.schedule((3, 4), delay=0.3)
    worker.raw.enqueue(shop.queued())
    worker.work()
    signatures = worker.huey._brine
    signatures._trust = brine.Trust.of({"worker": mallory.public})
    signatures._judge, signatures._ledgers = None, {}
    time.sleep(0.4)
    worker.work()
    assert worker.ran == [(1, 2, "alice")]
    assert worker.reasons() == ["unknown-signer"]


def test_revoking_locks_and_periodic_tasks(shop: Shop) -> None:
    result = shop.add(1, 2)
    result.revoke()
    shop.work()
    assert shop.ran == []
    assert not result.is_revoked()
    with shop.huey.lock_task("one"), pytest.raises(huey.exceptions.TaskLockedException):
        shop.huey.lock_task("one").acquire()
    shop.huey.lock_task("one").acquire()
    shop.huey.flush_locks("one")

    @shop.huey.periodic_task(crontab(), name="tick")
    def tick() -> None:
        shop.ran.append("tick")

    for task in shop.huey.read_periodic(datetime.datetime.now()):
        shop.huey.enqueue(task)
    shop.work()
    assert shop.ran == ["tick"]


def test_a_real_consumer(
    tmp_path: Path, signed: Callable[..., Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = signed(SqliteHuey("shop", filename=str(tmp_path / "shop.db")))
    consumer = shop.huey.create_consumer(workers=2, periodic=False, initial_delay=0.01)
    # The signals of this process are the other tests'.
    monkeypatch.setattr(consumer, "_set_signal_handlers", lambda: None)
    consumer.start()
    try:
        results = [shop.add(number, 1) for number in range(50)]
        assert [result.get(blocking=True, timeout=20) for result in results] == list(range(1, 51))
        shop.raw.enqueue(b"garbage")
        later = shop.add.schedule((1, 1), delay=0.2)
        assert later.get(blocking=True, timeout=20) == 2
    finally:
        consumer.stop(graceful=True)
    assert shop.reasons() == ["not-an-envelope"]


def test_immediate_mode_and_its_end(signed: Callable[..., Shop]) -> None:
    shop = signed()
    shop.huey.immediate = True
    assert shop.add(1, 2).get() == 3
    shop.huey.immediate = False
    result = shop.add(3, 4)
    message = shop.queued()
    shop.raw.enqueue(message)
    shop.work()
    assert result.get() == 7
    shop.raw.enqueue(pickle.dumps(("anything",)))
    shop.work()
    assert shop.reasons() == ["not-an-envelope"]


# Attacks, by somebody who can read and write the storage and has no key. Each is tried on a Huey without signatures, on one with
# its own HMAC, and on one that is signed: `who` says which let it through.

KINDS = {
    "unsigned": lambda: MemoryHuey("shop"),
    "hmac": lambda: MemoryHuey("shop", serializer=SignedSerializer(secret="secret")),
}


def unsigned_message(shop: Shop, **changes: Any) -> bytes:
    """Take the queued message, and change fields of it."""
    message = Serializer().deserialize(shop.queued())
    return Serializer().serialize(message._replace(**changes))


def test_relabelled_tasks(signed: Callable[..., Shop]) -> None:
    plain = Shop(KINDS["unsigned"]())
    plain.add(7)
    plain.raw.enqueue(unsigned_message(plain, name=f"{__name__}.delete_user"))
    plain.work()
    assert plain.deleted == [7]
    shop = signed()
    shop.add(7)
    message = shop.queued()
    assert message.count(b"add") == 1
    shop.raw.enqueue(message.replace(b".add", b".foo"))
    shop.work()
    assert (shop.deleted, shop.ran, shop.reasons()) == ([], [], ["signature-bad"])


@pytest.mark.parametrize("kind", KINDS)
def test_replays(kind: str, signed: Callable[..., Shop]) -> None:
    for shop, expected in ((Shop(KINDS[kind]()), 3), (signed(), 1)):
        shop.add(1)
        message = shop.queued()
        for _ in range(3):
            shop.raw.enqueue(message)
        shop.work()
        assert len(shop.ran) == expected
    assert shop.reasons() == ["replayed"] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_results_of_another_task(kind: str, signed: Callable[..., Shop]) -> None:
    for shop, stays in ((Shop(KINDS[kind]()), False), (signed(), True)):
        one, other = shop.add(1, 1), shop.add(100, 100)
        shop.work()
        shop.raw.put_data(one.id, shop.raw.peek_data(other.id), True)
        if stays:
            with pytest.raises(brine.AlteredError) as caught:
                one.get()
            assert caught.value.reason == "signature-bad"
        else:
            assert one.get() == 200


def test_a_task_as_a_result_and_a_result_as_a_task(signed: Callable[..., Shop]) -> None:
    shop = signed()
    result = shop.add(1, 1)
    message = shop.queued()
    shop.raw.put_data(result.id, message, True)
    with pytest.raises(brine.AlteredError):
        result.get()
    other = shop.add(2, 2)
    shop.work()
    shop.raw.enqueue(shop.raw.peek_data(other.id))
    shop.work()
    assert shop.reasons() == ["signature-bad"] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_messages_of_another_queue(
    kind: str, alice: brine.Key, trust: brine.Trust, seen: Path, signed: Callable[..., Shop]
) -> None:
    other = KINDS[kind]()
    other.name = "other"
    for one, shop, expected in (
        (Shop(other), Shop(KINDS[kind]()), [(1, 0, "nobody")]),
        (signed(MemoryHuey("other")), signed(), []),
    ):
        one.add(1)
        shop.raw.enqueue(one.queued())
        shop.work()
        assert [ran[:2] for ran in shop.ran] == [ran[:2] for ran in expected]
    assert shop.reasons() == ["context-mismatch"]


@pytest.mark.parametrize("kind", KINDS)
def test_bombs(kind: str, monkeypatch: pytest.MonkeyPatch, signed: Callable[..., Shop]) -> None:
    inflated: list[int] = []

    def inflate(data: bytes) -> bytes:
        found = inflater(data)
        inflated.append(len(found))
        return found

    inflater = gzip.decompress
    is_named = hasattr(huey.serializer, "gzip_decompress")
    name = "gzip_decompress" if is_named else "gzip.decompress"
    monkeypatch.setattr(f"huey.serializer.{name}", inflate)
    bomb = gzip.compress(bytes(30_000_000))
    compressing = MemoryHuey("shop", compression=True)
    shop = signed(compressing)
    shop.raw.enqueue(bomb)
    shop.work()
    assert (inflated, shop.reasons()) == ([], ["not-an-envelope"])
    # Huey inflates before it verifies.
    made = KINDS[kind]()
    made.serializer.comp = True
    made.storage.enqueue(bomb)
    with pytest.raises((ValueError, pickle.UnpicklingError)):
        made.dequeue()
    assert inflated == [30_000_000]


def test_strangers(mallory: brine.Key, signed: Callable[..., Shop]) -> None:
    # An HMAC refuses who does not know its secret.
    open_shop = KINDS["unsigned"]
    for stranger, shop, runs in (
        (Shop(open_shop()), Shop(open_shop()), True),
        (signed(key=mallory), signed(), False),
    ):
        stranger.add(1)
        shop.raw.enqueue(stranger.queued())
        shop.work()
        assert len(shop.ran) == runs
    assert shop.reasons() == ["unknown-signer"]


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_of_one_who_has_left(kind: str, home: Path, signed: Callable[..., Shop]) -> None:
    for shop, runs in ((Shop(KINDS[kind]()), True), (signed(key=None, trust=None), False)):
        shop.add(1)
        if not runs:
            with (home / "trust.toml").open("a") as trust:
                trust.write("revoked-at = 2020-01-01T00:00:00Z\n")
        shop.work()
        assert len(shop.ran) == runs
    assert shop.reasons() == ["signer-revoked"]


@pytest.mark.parametrize("kind", KINDS)
def test_old_tasks(kind: str, trust: brine.Trust, signed: Callable[..., Shop]) -> None:
    for shop, runs in ((Shop(KINDS[kind]()), True), (signed(), False)):
        shop.add(1)
        if not runs:
            # Two days pass.
            now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)
            judge = brine.Verifier(trust, context="huey:shop", aad=b"task", now=now)
            shop.huey._brine._judge = judge
        shop.work()
        assert len(shop.ran) == runs
    assert shop.reasons() == ["expired"]


def test_tasks_that_never_expire(alice: brine.Key, signed: Callable[..., Shop]) -> None:
    shop = signed()
    endless = brine.Signer(alice, context="huey:shop", aad=b"task")
    shop.raw.enqueue(brine.dumps(Message("x", "add"), signer=endless))
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], ["replay-expiry-missing"])


def test_who_sends_tasks_is_not_believed_about_results(
    alice: brine.Key, mallory: brine.Key, seen: Path
) -> None:
    trusted = f"""
[[signer]]
name = "producer"
key = "{alice.public}"
contexts = ["huey:shop"]

[[signer]]
name = "consumer"
key = "{mallory.public}"
contexts = ["huey:shop", "huey:shop:results"]
"""
    given = {"trust": brine.Trust.parse(trusted), "expires": "1d", "replay_db": seen}
    producer = Shop(brine.huey.sign(MemoryHuey("shop"), key=alice, **given))
    consumer = Shop(brine.huey.sign(MemoryHuey("shop"), key=mallory, **given))
    result = producer.add(1, 2)
    consumer.raw.enqueue(producer.queued())
    consumer.work()
    producer.raw.put_data(result.id, consumer.raw.peek_data(result.id), True)
    assert result.get() == 3
    # The producer makes a result itself.
    forged = producer.add(1, 2)
    producer.huey.put_result(forged.id, 1_000_000)
    with pytest.raises(brine.UntrustedError) as caught:
        forged.get()
    assert caught.value.reason == "context-not-allowed"


def test_a_message_of_a_trusted_signer_that_is_none_is_refused(
    alice: brine.Key, signed: Callable[..., Shop]
) -> None:
    shop = signed()
    signer = brine.Signer(alice, context="huey:shop", expires="1h", aad=b"task")
    wrong = [
        7,
        Message("x", "no.such_task"),
        Message("x", f"{__name__}.add", on_complete=5),
        Message("x", f"{__name__}.add", chord_config=(1,)),
    ]
    for content in wrong:
        shop.raw.enqueue(brine.dumps(content, signer=signer))
    shop.add(1)
    shop.work()
    assert len(shop.ran) == 1
    assert shop.reasons() == ["task-form"] * 4


def test_a_control_record_that_nobody_signed_revokes_nothing(signed: Callable[..., Shop]) -> None:
    plain = Shop(MemoryHuey("shop"))
    plain.add(1)
    task = plain.huey.pending()[0]
    plain.raw.put_data(task.revoke_id, pickle.dumps((None, False)))
    plain.work()
    assert plain.ran == []
    shop = signed()
    shop.add(1)
    task = shop.huey.pending()[0]
    shop.raw.put_data(task.revoke_id, pickle.dumps((None, False)))
    shop.work()
    assert len(shop.ran) == 1
    assert shop.reasons() == ["not-an-envelope"]


class Evil:
    """Runs a command when it is loaded."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


def test_a_signer_sends_no_more_than_the_list_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signed: Callable[..., Shop]
) -> None:
    monkeypatch.chdir(tmp_path)
    shop = signed()
    shop.add(Evil())
    shop.work()
    assert not Path("ran").exists()
    assert shop.reasons() == ["import-not-allowed"]
    allowed = signed(allow={"alice": ["std", "decimal:Decimal"], "*": []})
    allowed.add(1, 2)
    allowed.work()
    assert allowed.ran == [(1, 2, "alice")]


FIELDS = {
    "id": "other",
    "name": f"{__name__}.delete_user",
    "eta": datetime.datetime(2001, 1, 1),
    "retries": 99,
    "retry_delay": 99,
    "priority": 99,
    "args": (99,),
    "kwargs": {"b": 99},
    "on_complete": Message("y", f"{__name__}.delete_user", args=(1,), kwargs={}),
    "on_error": Message("y", f"{__name__}.delete_user", args=(1,), kwargs={}),
    "expires": 99,
    "expires_resolved": datetime.datetime(2099, 1, 1),
    "timeout": 99,
    "chord_config": ("c", 1, 0, Message("y", f"{__name__}.delete_user", args=(1,), kwargs={})),
    "retry_backoff": 99,
}
"""Another value for each field of a message."""


@pytest.mark.parametrize("field", Message._fields)
def test_every_field_is_under_the_signature(field: str, signed: Callable[..., Shop]) -> None:
    plain = Shop(MemoryHuey("shop"))
    plain.add(1)
    changed = plain.huey.deserialize_task(unsigned_message(plain, **{field: FIELDS[field]}))
    assert changed is not None
    shop = signed()
    shop.add(1)
    opened = shop.huey._brine.open(shop.queued(), b"task")
    forged = bytearray(opened.envelope)
    inner = pickle.dumps(opened.content, 5)
    at = bytes(forged).index(inner)
    other = pickle.dumps(opened.content._replace(**{field: FIELDS[field]}), 5)
    assert other != inner
    # As long as the other, so that nothing else is wrong.
    forged[at : at + len(inner)] = other[: len(inner)].ljust(len(inner), b".")
    shop.raw.enqueue(bytes(forged))
    shop.work()
    assert (shop.ran, shop.deleted, shop.reasons()) == ([], [], ["signature-bad"])


def test_the_page_says_which_fields_there_are() -> None:
    page = (Path(__file__).parent.parent.parent / "docs/python/huey.md").read_text()
    for field in Message._fields:
        assert f"`{field}`" in page, field


def test_moving_to_signatures(signed: Callable[..., Shop]) -> None:
    unsigned = Shop(MemoryHuey("shop"))
    unsigned.add(1)
    old = unsigned.queued()
    fallback = brine.Unsigned()
    shop = signed(fallback=fallback)
    shop.raw.enqueue(old)
    shop.raw.enqueue(pickle.dumps(Evil()))
    with pytest.warns(brine.UnsignedWarning):
        shop.work()
    assert shop.ran == [(1, 0, None)]
    assert fallback.count == 1
    assert shop.reasons() == ["import-not-allowed"]


def test_rotation_with_tasks_in_flight(alice: brine.Key, mallory: brine.Key, seen: Path) -> None:
    keys = {"old": alice.public, "new": mallory.public}
    given = {"trust": brine.Trust.of(keys), "expires": "1d", "replay_db": seen}
    shop = Shop(brine.huey.sign(MemoryHuey("shop"), key=alice, **given))
    shop.add(1)
    message = shop.queued()
    shop = Shop(brine.huey.sign(MemoryHuey("shop"), key=mallory, **given))
    shop.raw.enqueue(message)
    shop.add(2)
    shop.work()
    assert shop.ran == [(1, 0, "old"), (2, 0, "new")]


def test_what_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, signed: Callable[..., Shop]
) -> None:
    with pytest.raises(brine.UsageError, match="expected a Huey"):
        signed(object())
    with pytest.raises(brine.UsageError, match="expected a length of time"):
        signed(expires=5)
    with pytest.raises(brine.UsageError, match="it is signed already"):
        signed(signed().huey)
    monkeypatch.setattr("huey.__version__", "4.0.0")
    with pytest.raises(brine.UnsupportedError, match=r"Huey 4\.0\.0 is not known here"):
        signed()


WORKER = """
import os, sys, time, brine, brine.huey
from pathlib import Path
from huey import SqliteHuey

# Huey names a task after its module.
__name__ = sys.argv[2]

directory = Path(sys.argv[1])
key = brine.Key.from_pem((directory / "key").read_text())
trust = brine.Trust.of({"alice": key.public})
made = SqliteHuey("shop", filename=str(directory / "shop.db"))
huey = brine.huey.sign(made, key=key, trust=trust, expires="1d", replay_db=directory / "seen")

@huey.task(name="note")
def note(number):
    with open(directory / "ran", "a") as file:
        file.write(f"{number}\\n")

while True:
    task = huey.dequeue()
    if task is not None:
        huey.execute(task)
    elif Path(directory, "end").exists() or os.getppid() == 1:
        break
    else:
        time.sleep(0.001)
"""


@pytest.mark.time_limit(int(os.environ.get("BRINE_TASKS", "300")))
def test_workers_that_are_killed_run_no_task_twice(
    tmp_path: Path, alice: brine.Key, trust: brine.Trust, seen: Path
) -> None:
    (tmp_path / "key").write_text(alice.to_pem())
    made = SqliteHuey("shop", filename=str(tmp_path / "shop.db"))
    shop = brine.huey.sign(made, key=alice, trust=trust, expires="1d", replay_db=seen)

    @shop.task(name="note")
    def note(number: int) -> None:
        raise AssertionError(number)

    count = int(os.environ.get("BRINE_TASKS", "300"))
    for number in range(count):
        note(number)
    # Each is there three times, and every tenth is altered besides.
    for at, message in enumerate(list(shop.storage.inner.enqueued_items())):
        for copy in (message, message, altered(message) if at % 10 == 0 else message):
            shop.storage.inner.enqueue(copy)
    ran = tmp_path / "ran"
    kills = count // 60
    for kill in range(kills):
        with at_work(tmp_path):
            wait_until(lambda so_many=40 * (kill + 1): len(lines(ran)) >= so_many, 60)
    (tmp_path / "end").touch()
    with at_work(tmp_path) as one, at_work(tmp_path) as other:
        assert (one.wait(count), other.wait(count)) == (0, 0)
    reasons = [one.reason for one in brine.huey.refused(shop)]
    done = lines(ran)
    # What a worker had taken when it was killed, Huey loses: one message for each kill.
    assert len(done) == len(set(done))
    assert count - kills <= len(done) <= count
    assert set(reasons) == {"signature-bad", "replayed"}
    assert count // 10 - kills <= reasons.count("signature-bad") <= count // 10
    assert 0 <= count * 4 - len(done) - len(reasons) <= kills
    print(
        f"{count * 4} messages: {len(done)} tasks ran, {len(reasons)} were refused, {kills} workers killed"
    )


def altered(message: bytes) -> bytes:
    """Change the last bit of a message."""
    return message[:-1] + bytes([message[-1] ^ 1])


def lines(path: Path) -> list[str]:
    """Return the lines of a file, if it is there."""
    return path.read_text().splitlines() if path.exists() else []


@contextmanager
def at_work(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have a worker at work, which is killed at the end if it is still there."""
    command = [sys.executable, "-c", WORKER, str(directory), __name__]
    worker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()
