"""The tests that the standard library has for its executors, run against `brine.Executor`.

They are those of the interpreter that runs: ``python executor_suite.py URL`` imports them, gives them an executor of brine, runs
them against the worker of that queue, and prints the counts as JSON.
"""

from __future__ import annotations

import json
import sys
import time
import unittest
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import brine

URL = sys.argv[1] if len(sys.argv) > 1 else ""

NO_MAX_WORKERS = "how many functions run at once is up to the workers"
OWN_PROGRAM = "it is about a program that imports the executors of concurrent.futures: test_executor.py has another"

SKIPPED = {
    "test_max_workers_negative": NO_MAX_WORKERS,
    "test_interpreter_shutdown": OWN_PROGRAM,
    "test_submit_after_interpreter_shutdown": OWN_PROGRAM,
    "test_hang_gh83386": OWN_PROGRAM,
}
"""What is not run, and why."""


def suite(name: str) -> Any:
    """Import a part of the suite, which was one module up to Python 3.11."""
    if find_spec("test.test_concurrent_futures.executor"):
        return import_module(f"test.test_concurrent_futures.{name}")
    return import_module("test.test_concurrent_futures")


DUMMY = f"{suite('executor').MyObject.__module__}:MyObject"


class Sent:
    """Gives the tests an executor of brine."""

    worker_count = 2

    def setUp(self) -> None:
        """Skip what is about something else, and make an executor."""
        super().setUp()  # type: ignore[misc]
        reason = SKIPPED.get(self._testMethodName)  # type: ignore[attr-defined]
        if reason:
            raise unittest.SkipTest(reason)
        self.executor = self.executor_type()

    def tearDown(self) -> None:
        """Wait for what is left."""
        self.executor.shutdown(wait=True)
        del self.executor
        super().tearDown()  # type: ignore[misc]

    @staticmethod
    def executor_type(**_: object) -> brine.Executor:
        """Make an executor."""
        return brine.Executor(URL, allow=["std", DUMMY], timeout="1m")


class SentExecutorTest(Sent, suite("executor").ExecutorTest, suite("util").BaseTestCase):  # type: ignore[misc]
    """Submitting and mapping."""

    def test_map_exception(self) -> None:
        """Exceptions come back as text."""
        found = self.executor.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5])
        assert [next(found), next(found)] == [(0, 1), (0, 1)]
        with self.assertRaises(brine.RemoteError) as raised:  # type: ignore[attr-defined]
            next(found)
        assert raised.exception.type == "ZeroDivisionError"


class SentAsCompletedTest(
    Sent, suite("test_as_completed").AsCompletedTests, suite("util").BaseTestCase
):  # type: ignore[misc]
    """Futures in the order in which they are done."""


class SentWaitTest(Sent, suite("test_wait").WaitTests, suite("util").BaseTestCase):  # type: ignore[misc]
    """Waiting for futures."""


class SentShutdownTest(
    Sent, suite("test_shutdown").ExecutorShutdownTest, suite("util").BaseTestCase
):  # type: ignore[misc]
    """Shutdown, and what is cancelled by it."""

    def test_cancel_futures(self) -> None:
        """A worker that is busy may not have begun any job so soon, so one is waited for first."""
        found = [self.executor.submit(time.sleep, 0.1) for _ in range(50)]
        found[0].result()
        self.executor.shutdown(cancel_futures=True)
        cancelled = [future for future in found if future.cancelled()]
        others = [future for future in found if not future.cancelled()]
        assert len(cancelled) > 20
        assert others
        assert all(future.done() and future.exception() is None for future in others)


def run() -> dict[str, Any]:
    """Run the suite, and count."""
    tests = unittest.defaultTestLoader.loadTestsFromName("executor_suite")
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=2).run(tests)
    return {
        "run": result.testsRun,
        "failed": {str(test): trace for test, trace in result.failures + result.errors},
        "skipped": {test.id().rpartition(".")[2]: reason for test, reason in result.skipped},
    }


if __name__ == "__main__":
    # The tests are started by name: what is pickled is found in the module, and not in the program.
    import executor_suite

    print(json.dumps(executor_suite.run()))
