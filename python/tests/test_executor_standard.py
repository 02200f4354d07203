"""The tests of the standard library for executors, run against `brine.Executor` and a worker of another home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import executor_kit
from executor_kit import Site

HERE = Path(__file__).parent

NO_SUITE = not (find_spec("test") and find_spec("test.test_concurrent_futures"))

SKIPPED = {
    "test_max_workers_negative",
    "test_interpreter_shutdown",
    "test_submit_after_interpreter_shutdown",
    "test_hang_gh83386",
}
"""What is not run: executor_suite.py has the reasons."""

LEAST = 24
"""How many tests there are at least, in the oldest Python."""


@pytest.mark.skipif(NO_SUITE, reason="this interpreter comes without the tests of its library")
@pytest.mark.time_limit(200)
def test_the_tests_of_the_standard_library_pass(tmp_path: Path) -> None:
    executor_kit.refuse_uninstalled()
    site = Site(tmp_path)
    search = [str(HERE), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "BRINE_HOME": str(site.caller.path),
        "PYTHONPATH": os.pathsep.join(search),
    }
    with site.at_work("--jobs", "2"):
        done = subprocess.run(
            [sys.executable, str(HERE / "executor_suite.py"), site.url],
            check=False,
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=190,
        )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["failed"] == {}
    assert set(counts["skipped"]) <= SKIPPED
    assert counts["run"] >= LEAST, counts
