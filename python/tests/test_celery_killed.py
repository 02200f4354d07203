"""Workers of Celery that are killed, while the broker is stopped and started, and somebody sends copies and altered messages."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

import brine

pytest.importorskip("celery")

from celery import Celery

import brine.celery
from brine._celery_worker import _Held
from celery_kit import Broker
from conftest import wait_until
from server_kit import Server, server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VISIBILITY_SECONDS, LEASE_SECONDS = 4, 3
"""After this long Redis gives what nobody acknowledged, to a worker that starts then, or up to two minutes later."""

WORKER = """
import datetime, sys, time
from pathlib import Path
from celery import Celery
import brine, brine._task_signatures, brine.celery

directory = Path(sys.argv[1])
brine._task_signatures.LEASE = datetime.timedelta(seconds=int(sys.argv[6]))
app = Celery("shop", broker=sys.argv[2], backend=sys.argv[3])
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": int(sys.argv[5])},
    worker_prefetch_multiplier=4,
)
trust = brine.Trust.parse((directory / "trust.toml").read_text())
brine.celery.sign(app, key=directory / "key", trust=trust, expires="1d", replay_db=directory / "seen")

def note(number):
    with open(directory / "ran", "a") as file:
        file.write(f"{number}\\n")

@app.task(name="note")
def note_number(number):
    note(number)

@app.task(name="slow", acks_late=True)
def slow(number):
    note(number)
    while not (directory / "go").exists():
        time.sleep(0.1)
    return number

app.worker_main(["worker", "-c", "2", "-l", "ERROR", "-n", "%n-%i-" + sys.argv[4], "--without-gossip", "--without-mingle"])
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Server]:
    """A Redis of its own, which may be stopped."""
    (tmp_path / "redis").mkdir()
    with server("redis", tmp_path / "redis") as made:
        yield made


@pytest.fixture
def app(place: Server, tmp_path: Path, alice: brine.Key, seen: Path) -> Iterator[Celery]:
    (tmp_path / "key").write_text(alice.to_pem())
    (tmp_path / "key").chmod(0o600)
    told = f'[[signer]]\nname = "alice"\nkey = "{alice.public}"\ncontexts = ["celery:*"]\n'
    (tmp_path / "trust.toml").write_text(told)
    url = f"redis://127.0.0.1:{place.start_of.port}"
    made = Celery("shop", broker=f"{url}/0", backend=f"{url}/1")
    trust = brine.Trust.parse(told)
    yield brine.celery.sign(made, key=alice, trust=trust, expires="1d", replay_db=seen)
    # Results that were forgotten tell their store, which is stopped next.
    gc.collect()


@contextmanager
def at_work(app: Celery, directory: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Have a worker at work, which is killed at the end with its children."""
    places = [app.conf.broker_url, app.conf.result_backend]
    command = [sys.executable, "-c", WORKER, str(directory), *places, name]
    command += [str(VISIBILITY_SECONDS), str(LEASE_SECONDS)]
    with (directory / f"log-{name}").open("ab") as log:
        worker = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield worker
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.time_limit(200)
def test_a_task_whose_worker_died_runs_again_and_a_copy_of_it_does_not(
    app: Celery, tmp_path: Path
) -> None:
    ran, broker = tmp_path / "ran", Broker(app)
    result = app.send_task("slow", (7,))
    [message] = broker.messages()
    with at_work(app, tmp_path, "one"):
        wait_until(lambda: lines(ran) == ["7"], 60)
        # While it runs, a copy waits whether it ends.
        broker.put(message)
        wait_until(lambda: broker.unacknowledged() == 2, 60)
    (tmp_path / "go").touch()
    time.sleep(VISIBILITY_SECONDS + 1)
    with at_work(app, tmp_path, "two"):
        assert result.get(timeout=60) == 7
        wait_until(lambda: bool(brine.celery.refused(app)) and not broker.unacknowledged(), 60)
    assert lines(ran) == ["7", "7"]
    assert [one.reason for one in brine.celery.refused(app)] == ["replayed"]


@pytest.mark.time_limit(120 + int(os.environ.get("BRINE_TASKS", "240")))
def test_workers_that_are_killed_begin_no_task_twice(
    app: Celery, place: Server, tmp_path: Path
) -> None:
    ran, broker = tmp_path / "ran", Broker(app)
    (tmp_path / "go").touch()
    count = int(os.environ.get("BRINE_TASKS", "240"))
    for number in range(count):
        app.send_task("note", (number,), ignore_result=True)
    # Each is there three times, and every tenth is altered besides.
    for at, message in enumerate(broker.messages()):
        copies: list[dict[str, Any]] = [
            message,
            message,
            altered(message) if at % 10 == 0 else message,
        ]
        for copy in copies:
            broker.put(copy)
    kills = max(2, count // 1000)
    for kill in range(kills):
        with at_work(app, tmp_path, "one"):
            wait_until(
                lambda so_many=count * (kill + 1) // (kills + 2): len(lines(ran)) >= so_many, 600
            )
            if kill == 0:
                place.stop()
                place.start()
    while broker.queued() or broker.unacknowledged():
        time.sleep(VISIBILITY_SECONDS + 1)
        with at_work(app, tmp_path, "one"), at_work(app, tmp_path, "two"):
            wait_until(lambda: not broker.queued(), 120 + count)
            # What they have at hand they do, and then what a killed one began: its lease runs out.
            time.sleep(LEASE_SECONDS + 3)
    reasons = [one.reason for one in brine.celery.refused(app)]
    done = lines(ran)
    # Celery acknowledges a task when a child begins it. Of each worker that is killed, two may be lost, or begin again.
    assert len(set(done)) >= count - 2 * kills
    assert len(done) - len(set(done)) <= 2 * kills
    assert set(reasons) == {"signature-bad", "replayed"}
    assert reasons.count("signature-bad") >= count // 10
    assert len(done) + len(reasons) >= count * 4 - 2 * kills
    print(
        f"{count * 4} messages: {len(done)} tasks ran, {len(reasons)} were refused, {kills} workers killed"
    )


def altered(message: dict[str, Any]) -> dict[str, Any]:
    """Change a byte of the signature."""
    body = message["body"]
    return {**message, "body": body[:-8] + ("A" if body[-8] != "A" else "B") + body[-7:]}


def test_what_cannot_be_noted_is_held_and_noted_later(trust: brine.Trust) -> None:
    """A ledger that is locked when a task is done does not have it run again."""
    done: list[str] = []
    later: list[Any] = []
    faults = [brine.InputOutputError("locked", reason="replay-locked"), None]

    class FakeLease:
        def commit(self) -> None:
            fault = faults.pop(0)
            if fault is not None:
                raise fault
            done.append("noted")

    class FakeTimer:
        def call_after(self, _seconds: float, work: Any, arguments: Any) -> None:
            later.append((work, arguments))

    class FakeRequest:
        def __init__(self) -> None:
            self._on_ack: Any = lambda *_: done.append("acknowledged")
            self._on_reject: Any = None

    request = FakeRequest()
    held = _Held(cast("Any", FakeLease()), request, FakeTimer())
    request._on_ack(None, ())
    assert (done, held.is_settled, len(later)) == ([], False, 1)
    work, arguments = later[0]
    work(*arguments)
    assert (done, held.is_settled) == (["noted", "acknowledged"], True)
