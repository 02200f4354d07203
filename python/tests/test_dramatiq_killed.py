"""Workers of Dramatiq that are killed, and a server that is restarted: nothing is lost, and nothing runs that Dramatiq would not."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("dramatiq")

import dramatiq
from dramatiq.common import dq_name

import brine
import brine.dramatiq
from conftest import wait_until
from server_kit import server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from server_kit import Server

COUNT = int(os.environ.get("BRINE_TASKS", "240"))

THREADS = 2


def broker_of(kind: str, port: int) -> Any:
    """Return the broker of a server."""
    if kind == "redis":
        from dramatiq.brokers.redis import RedisBroker

        # A worker that was killed is noticed after two seconds, and looked for at every command.
        return RedisBroker(
            host="127.0.0.1", port=port, heartbeat_timeout=2000, maintenance_chance=1_000_000
        )
    from dramatiq.brokers.rabbitmq import RabbitmqBroker

    return RabbitmqBroker(host="127.0.0.1", port=port, confirm_delivery=True)


WORKER = f"""
import datetime, os, signal, sys, threading, time
from pathlib import Path
from typing import Any
import brine, brine.dramatiq, dramatiq, dramatiq.worker

{inspect.getsource(broker_of)}
directory, kind, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
dramatiq.worker.CONSUMER_RESTART_DELAY_SECS = 0.2
dramatiq.worker.POST_PROCESS_MESSAGE_RETRY_DELAY_SECS = 0.2
brine._task_signatures.LEASE = datetime.timedelta(seconds=2)
key = brine.Key.from_pem((directory / "key").read_text())
given = {{"trust": brine.Trust.of({{"alice": key.public}}), "expires": "1d"}}
broker = brine.dramatiq.sign(broker_of(kind, port), key=key, replay_db=directory / "seen", **given)

def write(line):
    # No line lies on two pages, so nobody reads half of one, and no kill leaves half of one.
    with open(directory / "ran", "a") as file:
        file.write(line.ljust(15) + "\\n")

@dramatiq.actor(broker=broker, queue_name="shop", min_backoff=1, max_backoff=100)
def note(number):
    write(f"begin {{number}}")
    if number < 0 and not (directory / "go").exists():
        time.sleep(1000)
    write(f"end {{number}}")

end = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: end.set())
worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads={THREADS})
worker.start()
while not end.wait(0.1) and os.getppid() != 1:
    pass
worker.stop()
"""


class Field:
    """A server, a producer, and workers that come and go."""

    def __init__(self, directory: Path, one: Server, alice: brine.Key, seen: Path) -> None:
        self.directory, self.server, self.alice, self.seen = directory, one, alice, seen
        self.kind = {"redis": "redis", "amqp": "rabbitmq"}[one.kind]
        self.sent: list[tuple[str, bytes]] = []
        (directory / "key").write_text(alice.to_pem())
        self.connect()

    def connect(self) -> None:
        """Connect a broker to the server."""
        trust = brine.Trust.of({"alice": self.alice.public})
        made = broker_of(self.kind, self.server.start_of.port)
        self.broker = brine.dramatiq.sign(
            made, key=self.alice, trust=trust, expires="1d", replay_db=self.seen
        )
        encode = self.broker._brine.encode

        def remember(fields: dict[str, Any], waiting: Any) -> bytes:
            data = encode(fields, waiting)
            self.sent.append((fields["queue_name"], data))
            return data

        self.broker._brine.encode = remember

        @dramatiq.actor(broker=self.broker, queue_name="shop")
        def note(number: int) -> None:
            raise AssertionError(number)

        self.note = note

    def put(self, queue: str, data: bytes, name: str) -> None:
        """Put a message into a queue, as somebody who has no key."""
        if self.kind == "redis":
            self.broker.client.hset(f"dramatiq:{queue}.msgs", name, data)
            self.broker.client.rpush(f"dramatiq:{queue}", name)
        else:
            import pika

            properties = pika.BasicProperties(delivery_mode=2)
            self.broker.channel.basic_publish("", queue, data, properties)

    def left(self) -> int:
        """Return how many messages are waiting or, in Redis, taken."""
        if self.kind == "redis":
            return sum(self.broker.client.hlen(f"dramatiq:{q}.msgs") for q in QUEUES)
        return sum(self.broker.get_queue_message_counts("shop")[:2])

    def reasons(self) -> list[str]:
        """Return why messages were refused."""
        return [one.reason for one in brine.dramatiq.refused(self.broker)]

    def lines(self, what: str) -> list[int]:
        """Return the numbers whose tasks began, or ended."""
        path = self.directory / "ran"
        found = path.read_text().splitlines() if path.exists() else []
        return [int(line.split()[1]) for line in found if line.startswith(what)]

    @contextmanager
    def at_work(self) -> Iterator[subprocess.Popen[bytes]]:
        """Have a worker at work, which is killed at the end if it is still there."""
        port = str(self.server.start_of.port)
        command = [sys.executable, "-c", WORKER, str(self.directory), self.kind, port]
        with (self.directory / "log").open("ab") as log:
            worker = subprocess.Popen(command, stderr=log)
        try:
            yield worker
        finally:
            worker.kill()
            worker.wait()


QUEUES = ["shop", dq_name("shop")]


@pytest.fixture(params=["redis", "amqp"])
def field(
    request: pytest.FixtureRequest, tmp_path: Path, alice: brine.Key, seen: Path
) -> Iterator[Field]:
    """A field on each server, which is this test's alone."""
    pytest.importorskip({"redis": "redis", "amqp": "pika"}[request.param])
    data = tmp_path / "data"
    data.mkdir()
    with server(request.param, data) as one:
        made = Field(tmp_path, one, alice, seen)
        yield made
        # It is shown if the test failed.
        done = set(made.lines("end"))
        print("left:", made.left(), "not done:", [n for n in range(COUNT) if n not in done])
        print((tmp_path / "log").read_text()[-8000:])


def stopped(worker: subprocess.Popen[bytes]) -> None:
    """Have a worker end as it should."""
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0


def test_a_task_whose_worker_was_killed_runs_again(field: Field) -> None:
    field.note.send(-1)
    with field.at_work():
        wait_until(lambda: field.lines("begin") == [-1], 60)
    (field.directory / "go").touch()
    with field.at_work() as worker:
        wait_until(lambda: field.lines("end") == [-1], 60)
        wait_until(lambda: field.left() == 0)
        stopped(worker)
    assert field.lines("begin") == [-1, -1]
    # It was no replay. Now it would be one.
    assert field.reasons() == []
    (_, data) = field.sent[0]
    opened = field.broker._brine.of("shop").open(data, b"task")
    field.put("shop", data, opened.content["options"].get("redis_message_id", ""))
    with field.at_work() as worker:
        wait_until(lambda: field.reasons() == ["replayed"], 60)
        stopped(worker)
    assert field.lines("end") == [-1]


@pytest.mark.time_limit(200 + COUNT)
def test_workers_that_are_killed_lose_nothing_and_run_nothing_twice_that_was_done(
    field: Field,
) -> None:
    for number in range(COUNT):
        # Every fifth waits for its time, in the other queue.
        field.note.send_with_options(args=(number,), delay=200 if number % 5 == 0 else None)
    copies = altered = 0
    for at, (queue, data) in enumerate(list(field.sent)):
        field.put(queue, data, f"copy-{at}")
        copies += 1
        if at % 10 == 0:
            field.put(queue, data[:-1] + bytes([data[-1] ^ 1]), f"altered-{at}")
            altered += 1
    kills = COUNT // 60
    for kill in range(kills):
        with field.at_work():
            so_many = 40 * (kill + 1)
            wait_until(lambda so_many=so_many: len(set(field.lines("end"))) >= so_many, 100)
            if kill == kills // 2:
                field.server.stop()
                field.server.start()
                wait_until(lambda so_many=so_many: len(set(field.lines("end"))) > so_many, 100)
    field.connect()
    with ExitStack() as stack:
        workers = [stack.enter_context(field.at_work()) for _ in range(2)]
        wait_until(lambda: len(set(field.lines("end"))) == COUNT, 60 + COUNT)
        wait_until(lambda: field.left() == 0, 60 + COUNT)
        for worker in workers:
            stopped(worker)
    # RabbitMQ does not say what workers hold, which they give back when they are stopped.
    while field.left():
        with field.at_work() as worker:
            wait_until(lambda: field.left() == 0, 60 + COUNT)
            stopped(worker)
    ended, reasons = field.lines("end"), field.reasons()
    assert sorted(set(ended)) == list(range(COUNT))
    # One that had ended when its worker was killed, but was not noted yet, is run again, as Dramatiq promises.
    interrupted = THREADS * kills
    assert len(ended) - COUNT <= interrupted
    # What each of its two consumers was refusing when a worker was killed, or the server, is refused again.
    assert altered <= reasons.count("signature-bad") <= altered + 2 * (kills + 1)
    assert set(reasons) <= {"signature-bad", "replayed", "task-place"}
    assert len(reasons) - reasons.count("signature-bad") >= copies
    print(
        f"{field.kind}: {COUNT + copies + altered} messages, {kills} workers killed, 1 restart of the server: "
        f"{len(set(ended))} tasks ran, {len(ended) - COUNT} twice; {len(reasons)} messages were refused"
    )
