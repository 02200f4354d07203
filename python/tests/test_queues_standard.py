"""The tests of the standard library for queues, pipes and managers, run against those of brine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import brine

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent

QUEUES = ["SignedQueueTest", "SignedSimpleQueueTest"]
PIPES = ["SignedConnectionTest", "SignedPollTest"]
MANAGERS = ["SignedManagerQueueTest", "SignedContainersTest", "SignedRemoteManagerTest"]

RUNS = {
    "fork": [*QUEUES, *PIPES, *MANAGERS],
    "forkserver": [*QUEUES, *PIPES],
    "spawn": [*QUEUES, *PIPES],
}
"""What is run with each start method. The messages of managers do not depend on it."""

LEAST = {"fork": 40, "forkserver": 24, "spawn": 24}
"""How many tests there are at least, in the oldest Python."""

NO_SUITE = not (find_spec("test") and find_spec("test._test_multiprocessing"))

pytestmark = pytest.mark.skipif(
    NO_SUITE, reason="this interpreter comes without the tests of its library"
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Start the tests with each start method, side by side: they mostly wait."""
    package = Path(brine.__file__).parent.parent
    search = [str(package), str(HERE), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(search),
        "BRINE_SUITE_KEY": brine.Key.generate().to_pem(),
    }
    started = {
        method: subprocess.Popen(
            [sys.executable, str(HERE / "standard_suite.py"), method, *names],
            env=environment,
            cwd=tmp_path_factory.mktemp(method),
            stdout=subprocess.PIPE,
            stderr=(tmp_path_factory.mktemp("log") / method).open("w+"),
            text=True,
        )
        for method, names in RUNS.items()
    }
    yield started
    for run in started.values():
        run.kill()
        run.wait()


@pytest.mark.time_limit(200)
@pytest.mark.parametrize("method", list(RUNS))
def test_the_tests_of_the_standard_library_pass(
    runs: dict[str, subprocess.Popen[str]], method: str
) -> None:
    output, _ = runs[method].communicate(timeout=190)
    assert runs[method].returncode == 0, output
    counts = json.loads(output.splitlines()[-1])
    assert counts["failed"] == {}
    assert set(counts["skipped"]) <= {
        "test_queue_feeder_donot_stop_onexc",
        "test_queue_feeder_on_queue_feeder_error",
    }
    assert counts["run"] >= LEAST[method]
