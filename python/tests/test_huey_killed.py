"""Huey with signed tasks, whose workers are killed."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import brine

huey = pytest.importorskip("huey")

from huey import SqliteHuey

import brine.huey
from conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

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
