"""Workers that are killed while functions run: each function runs once at most, and its caller hears of its end."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

import brine
import executor_kit
from executor_kit import Site

FUNCTIONS = 40
KILLS = 8


@pytest.mark.time_limit(120)
def test_functions_run_once_though_workers_are_killed(tmp_path: Path) -> None:
    executor_kit.refuse_uninstalled()
    site = Site(tmp_path)
    ran = tmp_path / "ran"
    ran.mkdir()
    # Jobs are nobody.
    ran.chmod(0o777)
    policy = site.worker.path / "policy.toml"
    policy.write_text(policy.read_text() + f'write = {{ ran = "{ran}" }}\n')

    def note(number: int) -> int:
        with open("/job/files/ran/all", "a") as file:
            file.write(f"{number}\n")
        time.sleep(0.15)
        return number

    drawn = random.Random(3)
    options = ("--jobs", "2", "--lease", "1s")
    workers = [site.start(*options) for _ in range(2)]
    try:
        with site.executor(grants=["write=ran"]) as executor:
            futures = [executor.submit(note, number) for number in range(FUNCTIONS)]
            for _ in range(KILLS):
                time.sleep(drawn.uniform(0.2, 0.6))
                place = drawn.randrange(len(workers))
                workers[place].send_signal(signal.SIGKILL)
                workers[place].wait()
                workers[place] = site.start(*options)
            errors = [future.exception() for future in futures]
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait(30)
    lines = [int(line) for line in (ran / "all").read_text().splitlines()]
    assert len(lines) == len(set(lines)), "a function ran twice"
    for number, (future, error) in enumerate(zip(futures, errors, strict=True)):
        if error is None:
            assert future.result() == number
            assert number in lines
        else:
            assert isinstance(error, brine.JobInterruptedError)
    interrupted = sum(error is not None for error in errors)
    assert 1 <= interrupted <= 2 * KILLS
    assert site.queues() == ["work"]
    assert os.listdir(ran) == ["all"]
