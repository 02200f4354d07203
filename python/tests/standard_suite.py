"""The tests that the standard library has for its queues, pipes and managers, run against those of brine.

They are those of the interpreter that runs: ``python standard_suite.py METHOD CLASS...`` imports them, puts brine's classes in the
place of the standard ones, runs them with a start method, and prints the counts as JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import sys
import unittest
from multiprocessing import managers
from typing import Any

from test import _test_multiprocessing as suite  # type: ignore[import-not-found, unused-ignore]

import brine

PUT_RAISES = "brine pickles in put(), which raises, and not in the thread that feeds the pipe"

SKIPPED = {
    "test_queue_feeder_donot_stop_onexc": PUT_RAISES,
    "test_queue_feeder_on_queue_feeder_error": PUT_RAISES,
}
"""What is not run, and why."""

KEY = os.environ.get("BRINE_SUITE_KEY")
"""The key of managers, which processes that are started find in their environment. It guards nothing."""

SERIALIZER = "brine-suite"


def queue(maxsize: int = 0) -> Any:
    """Make a queue where the suite makes one."""
    return brine.SignedQueue[Any](maxsize)


def joinable_queue(maxsize: int = 0) -> Any:
    """Make a joinable queue."""
    return brine.SignedJoinableQueue[Any](maxsize)


def simple_queue() -> Any:
    """Make a simple queue."""
    return brine.SignedSimpleQueue[Any]()


def pipe(duplex: bool = True) -> Any:
    """Make a pipe."""
    return brine.signed_pipe(duplex)


class Signed(suite.ProcessesMixin):  # type: ignore[misc, unused-ignore]
    """Puts brine's classes in the place of the standard ones."""

    Queue = staticmethod(queue)
    JoinableQueue = staticmethod(joinable_queue)
    Pipe = staticmethod(pipe)

    def setUp(self) -> None:
        """Skip what is about something else."""
        reason = SKIPPED.get(self._testMethodName)  # type: ignore[attr-defined]
        if reason:
            raise unittest.SkipTest(reason)


class SignedManagers(suite.ManagerMixin):  # type: ignore[misc, unused-ignore]
    """Gives the manager of the suite the serializer of brine."""

    @classmethod
    def setUpClass(cls) -> None:
        """Start a manager."""
        suite.BaseMixin.setUpClass.__func__(cls)
        cls.manager = managers.SyncManager(serializer=SERIALIZER, ctx=multiprocessing.get_context())
        cls.manager.start()

    def setUp(self) -> None:
        """Skip what is about something else."""
        reason = SKIPPED.get(self._testMethodName)  # type: ignore[attr-defined]
        if reason:
            raise unittest.SkipTest(reason)


class SignedQueueTest(Signed, suite._TestQueue, unittest.TestCase):  # type: ignore[misc, unused-ignore]
    """Queues and joinable queues."""


class SignedSimpleQueueTest(suite.TestSimpleQueue):  # type: ignore[misc, unused-ignore]
    """Simple queues."""


class SignedConnectionTest(Signed, suite._TestConnection, unittest.TestCase):  # type: ignore[misc, unused-ignore]
    """Pipes."""

    @classmethod
    def _echo(cls, conn: brine.SignedConnection) -> None:
        """Send back what arrives, as what it is: what was sent as bytes is never unpickled."""
        for message in iter(conn.recv_bytes, suite.SENTINEL):
            if message.startswith(b"\x80") and message.endswith(b"."):
                conn.send(pickle.loads(message))
            else:
                conn.send_bytes(message)
        conn.close()


class SignedPollTest(Signed, suite._TestPoll, unittest.TestCase):  # type: ignore[misc, unused-ignore]
    """Waiting for pipes."""


class SignedManagerQueueTest(SignedManagers, suite._TestQueue, unittest.TestCase):  # type: ignore[misc, unused-ignore]
    """Queues in a manager."""


class SignedContainersTest(SignedManagers, suite._TestContainers, unittest.TestCase):  # type: ignore[misc, unused-ignore]
    """Containers in a manager."""


class SignedRemoteManagerTest(SignedManagers, suite._TestRemoteManager, unittest.TestCase):  # type: ignore[misc, unused-ignore]
    """A manager that other processes connect to. XML-RPC makes lists of tuples, which brine does not."""

    result = tuple(suite._TestRemoteManager.values)


PROXIES = ("AutoProxy", "DictProxy", "ListProxy", "RebuildProxy")
"""What a program allows that puts objects of a manager into one another."""

if KEY:
    key = brine.Key.from_pem(KEY)
    brine.register_manager_serializer(
        SERIALIZER,
        key=key,
        trust=brine.Trust.of({"suite": key.public}),
        allow=["std", *(f"multiprocessing.managers:{name}" for name in PROXIES)],
    )
    suite.SERIALIZER = SERIALIZER


def substitute() -> None:
    """Put brine's classes where the suite takes standard ones without asking its mixin."""
    multiprocessing.Queue = queue  # type: ignore[assignment, misc]
    multiprocessing.JoinableQueue = joinable_queue  # type: ignore[assignment, misc]
    multiprocessing.SimpleQueue = simple_queue  # type: ignore[assignment, misc]


def run(method: str, names: list[str]) -> dict[str, Any]:
    """Run the suite, and count."""
    multiprocessing.set_start_method(method, force=True)
    multiprocessing.set_forkserver_preload(["standard_suite"])
    substitute()
    loader = unittest.defaultTestLoader
    tests = unittest.TestSuite()
    for name in names:
        tests.addTests(loader.loadTestsFromName(f"standard_suite.{name}"))
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=2).run(tests)
    return {
        "run": result.testsRun,
        "failed": {str(test): trace for test, trace in result.failures + result.errors},
        "skipped": {test.id().rpartition(".")[2]: reason for test, reason in result.skipped},
    }


if __name__ == "__main__":
    # The tests are started by name: a process finds their classes in the module, and not in the program.
    import standard_suite

    os.environ.setdefault("BRINE_SUITE_KEY", brine.Key.generate().to_pem())
    print(json.dumps(standard_suite.run(sys.argv[1], sys.argv[2:])))
