"""Functions that run on a worker with a home of its own: what comes back, and what is refused."""

from __future__ import annotations

import datetime
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

import brine
import executor_kit
from conftest import in_child, wait_until
from executor_kit import Home, Site, wait_for_text

cloudpickle.register_pickle_by_value(sys.modules[__name__])

MIB = 1024 * 1024


@dataclass
class Order:
    """What a list has to name."""

    number: int


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Have a worker at work."""
    executor_kit.refuse_uninstalled()
    site = Site(tmp_path_factory.mktemp("site"))
    with site.at_work("--jobs", "2"):
        yield site


@pytest.fixture(scope="module")
def executor(site: Site) -> Iterator[brine.Executor]:
    """Make an executor that tests share."""
    with site.executor(answers_from="worker") as executor:
        yield executor


@pytest.fixture
def quiet_site(tmp_path: Path) -> Site:
    """Have a queue without a worker."""
    executor_kit.refuse_uninstalled()
    return Site(tmp_path)


def test_a_function_runs_and_its_result_is_signed(executor: brine.Executor) -> None:
    offset = 10
    future = executor.submit(lambda number, *, times: (number + offset) * times, 4, times=3)
    assert future.result() == 42
    assert future.done()
    result = future.job_result
    assert result is not None
    assert (result.signer, result.outcome, result.status) == ("worker", "ok", 0)
    assert result.usage is not None
    assert result.plan_digest is not None


@pytest.mark.parametrize(
    "value",
    [
        None,
        [1, 2.5, "ü", b"\x00", {"a": {1: 2**80}}],
        (1, (2, 3)),
        {1, 2},
        datetime.date(2026, 11, 30),
        2**20000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_come_back_as_they_were(executor: brine.Executor, value: object) -> None:
    found = executor.submit(lambda: value).result()
    assert found == value
    assert type(found) is type(value)


def test_a_function_of_the_library_travels_by_its_name(executor: brine.Executor) -> None:
    assert executor.submit(divmod, 17, 5).result() == (3, 2)
    assert list(executor.map(pow, range(5), [2] * 5)) == [0, 1, 4, 9, 16]


def test_an_exception_comes_back_as_text(executor: brine.Executor) -> None:
    def fail() -> None:
        raise ValueError("bad \x1b[31m news")

    error = executor.submit(fail).exception()
    assert isinstance(error, brine.RemoteError)
    assert (error.type, error.text, error.reason) == ("ValueError", "bad \x1b[31m news", "raised")
    assert "raise ValueError" not in error.type
    assert error.traceback.startswith("Traceback (most recent call last):\n")
    assert ", in fail\n" in error.traceback
    assert "_job_loader" not in error.traceback
    assert str(error) == "ValueError: bad \\x1b[31m news"
    assert "\x1b" not in error.__notes__[0]
    assert error.job_result is not None
    again = pickle.loads(pickle.dumps(error))
    assert (again.type, again.traceback, str(again)) == (error.type, error.traceback, str(error))


class Awkward(Exception):
    """An exception that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def endless() -> object:
    """Call itself."""
    return endless()


RAISED: dict[str, Callable[[], object]] = {
    "SystemExit": lambda: sys.exit(3),
    "KeyboardInterrupt": lambda: (_ for _ in ()).throw(KeyboardInterrupt()),
    "RecursionError": lambda: endless(),
    "Awkward": lambda: (_ for _ in ()).throw(Awkward()),
    "UnicodeEncodeError": lambda: "\ud800".encode(),
    "FileNotFoundError": lambda: os.stat("/root/.ssh/id_ed25519"),
    "ModuleNotFoundError": lambda: __import__("no_such_module"),
    "TypeError": lambda: threading.Lock(),
}


@pytest.mark.parametrize("kind", list(RAISED))
def test_whatever_is_raised_is_told(executor: brine.Executor, kind: str) -> None:
    error = executor.submit(RAISED[kind]).exception()
    assert isinstance(error, brine.RemoteError)
    assert error.type.rpartition(".")[2] == kind
    assert executor.submit(int, "7").result() == 7


def test_what_a_function_prints_is_no_result(executor: brine.Executor) -> None:
    def prints() -> str:
        print("hello")
        os.system("echo from a child")
        sys.stderr.write("errors")
        return "value"

    future = executor.submit(prints)
    assert future.result() == "value"
    assert future.job_result is not None
    assert "hello" in future.job_result.errors
    assert "from a child" in future.job_result.errors


def test_what_a_result_may_import_is_held_to_the_list(site: Site) -> None:
    def fraction() -> object:
        import fractions
        import string

        return [fractions.Fraction(1, 3), string.Template("$x")]

    with site.executor() as strict:
        error = strict.submit(fraction).exception()
    assert isinstance(error, brine.UntrustedError)
    assert (error.reason, error.allow) == ("import-not-allowed", ("string:Template",))
    with site.executor(allow=["std", "string:Template"]) as lenient:
        assert lenient.submit(fraction).result()[1].substitute(x=1) == "1"
    with site.executor(allow={"somebody": "std"}) as of_another:
        error = of_another.submit(lambda: (1,)).exception()
    assert isinstance(error, brine.UntrustedError)
    assert error.reason == "signer-not-listed"


def test_code_comes_back_only_where_it_is_asked_for(site: Site, executor: brine.Executor) -> None:
    error = executor.submit(lambda: lambda: 1).exception()
    assert isinstance(error, brine.RemoteError)
    assert "take code= in the caller" in error.text


def test_code_takes_trust_in_particular(site: Site) -> None:
    # The caller trusts the worker for reply/*, and that is none in code.
    with site.executor(code="worker", timeout="8s") as executor:
        error = executor.submit(lambda: lambda: 1).exception()
    assert isinstance(error, brine.NoAnswerError)
    assert "1 context-not-allowed" in error.message


def coding(site: Site, **given: Any) -> brine.Executor:
    """Make an executor that trusts the worker with code."""
    trust = brine.Trust.of({"worker": site.worker.key.public}, contexts=["python-code/reply/*"])
    return site.executor(trust=trust, **given)


def test_code_of_a_worker_that_is_named_runs_here(site: Site) -> None:
    with coding(site, code=["worker"]) as executor:
        made = executor.submit(lambda base: lambda number: base + number, 30).result()
        assert made(12) == 42
        # Everything else is as it is without.
        assert executor.submit(lambda: (1, 2)).result() == (1, 2)
        assert executor.submit(lambda: Order(7)).result().number == 7


def test_code_of_another_worker_is_refused(site: Site) -> None:
    with coding(site, code=["somebody"]) as executor:
        error = executor.submit(lambda: lambda: 1).exception()
        assert isinstance(error, brine.UntrustedError)
        assert error.reason == "result-is-code"
        assert executor.submit(lambda: 1).result() == 1


def test_what_cannot_be_pickled_is_the_exception_of_the_future(executor: brine.Executor) -> None:
    future = executor.submit(len, threading.Lock())
    error = future.exception()
    assert isinstance(error, brine.UsageError)
    assert error.reason == "not-picklable"
    for size in (16 * MIB, 16 * MIB - 100):
        error = executor.submit(len, bytes(size)).exception()
        assert isinstance(error, brine.Error)
        assert error.reason == "too-large"


def test_what_is_too_large_to_be_answered_is_told(executor: brine.Executor) -> None:
    error = executor.submit(lambda: bytes(17 * MIB)).exception()
    assert isinstance(error, brine.RemoteError)
    assert error.type == "OverflowError"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"allow": ["std", 7]}, "allow"),
        ({"grants": "wall=1s"}, "grants"),
        ({"grants": ["everything=x"]}, "everything"),
        ({"grants": ["format=json"]}, "format"),
        ({"timeout": "soon"}, "expected"),
        ({"code": [7]}, "code"),
        ({"answers_from": [7]}, "answers_from"),
        ({"url": "kafka:x"}, "not supported"),
    ],
)
def test_what_makes_no_sense_is_said(quiet_site: Site, given: dict[str, Any], words: str) -> None:
    url = given.pop("url", quiet_site.url)
    with pytest.raises(brine.UsageError, match=words):
        brine.Executor(
            url, **{"key": quiet_site.caller.key, "trust": quiet_site.caller.trust, **given}
        )
    assert quiet_site.queues() == ["work"]


def test_a_job_is_taken_back_until_it_is_begun(quiet_site: Site) -> None:
    site = quiet_site
    executor = site.executor()
    first, second = executor.submit(time.sleep, 3), executor.submit(abs, -1)
    assert second.cancel()
    assert second.cancelled()
    assert second.cancel()
    with pytest.raises(futures.CancelledError):
        second.result()
    assert not first.done()
    with site.at_work():
        wait_until(lambda: site.begun() == 1)
        assert not first.cancel()
        assert first.running()
        assert first.result() is None
        assert not first.cancel()
        late = executor.submit(abs, -2)
        assert late.result() == 2
        executor.shutdown()
    assert site.queues() == ["work"]
    assert site.dead() == []
    assert site.log.read_text().count("ended well") == 2


def test_a_shutdown_can_take_jobs_back(quiet_site: Site) -> None:
    executor = quiet_site.executor()
    pending = [executor.submit(abs, -1) for _ in range(3)]
    executor.shutdown(cancel_futures=True)
    assert all(future.cancelled() for future in pending)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, -1)
    assert quiet_site.queues() == ["work"]
    executor.shutdown()


def test_an_executor_that_nobody_has_ends_when_its_jobs_have(quiet_site: Site) -> None:
    with quiet_site.at_work():
        executor = quiet_site.executor()
        future = executor.submit(abs, -7)
        del executor
        assert future.result() == 7
        wait_until(lambda: quiet_site.queues() == ["work"])
    unused = quiet_site.executor()
    assert len(quiet_site.queues()) == 2
    del unused
    assert quiet_site.queues() == ["work"]


def test_without_a_worker_the_wait_ends(quiet_site: Site) -> None:
    with quiet_site.executor(timeout="1s") as executor:
        error = executor.submit(abs, -1).exception(timeout=10)
    assert isinstance(error, brine.NoAnswerError)
    assert isinstance(error, TimeoutError)
    assert (error.reason, error.status) == ("no-answer", 124)
    assert quiet_site.look("SELECT count(*) FROM message") == [0]


def test_a_trust_file_that_cannot_be_read_loses_no_answer(quiet_site: Site) -> None:
    site = quiet_site
    text = site.caller.trust_file.read_text()
    with site.at_work(), site.executor() as executor:
        site.caller.trust_file.write_text("no trust file")
        future = executor.submit(abs, -1)
        wait_for_text(site.log, "ended well")
        with pytest.raises(TimeoutError):
            future.result(timeout=1.5)
        site.caller.trust_file.write_text(text)
        assert future.result() == 1


def test_a_queue_of_answers_does_not_outlive_a_killed_caller_for_long(
    quiet_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = quiet_site
    until = "SELECT until - made FROM queue WHERE name <> 'work'"
    with site.at_work(), site.executor() as executor:
        assert site.look(until) == [3640]
        monkeypatch.setattr("brine._exchange.KEPT_FOR_SECONDS", 0.0)
        time.sleep(2)
        assert executor.submit(abs, -1).result() == 1
        assert site.look(until)[0] > 3641
        # One that was deleted because nobody used it is made anew.
        executor._exchange._answers.remove()
        assert executor.submit(abs, -2).result() == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_a_thread_that_failed(
    quiet_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = quiet_site.executor()

    def fail(_seconds: float) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(executor._exchange, "_take", fail)
    with pytest.raises(MemoryError, match="no room"):
        executor.submit(abs, -1).result(timeout=10)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(abs, -1)
    executor.shutdown()
    assert quiet_site.queues() == ["work"]


def test_a_fork_does_not_answer_for_its_parent(site: Site) -> None:
    with site.executor() as executor:
        future = executor.submit(time.sleep, 0.5)

        def child() -> None:
            with pytest.raises(RuntimeError, match="belongs to the process"):
                executor.submit(abs, 1)
            assert not future.cancel()
            executor.shutdown()

        assert in_child(child) == 0
        assert future.result() is None
        assert executor.submit(abs, -1).result() == 1


AT_EXIT = """
import sys, brine
executor = brine.Executor(sys.argv[1], timeout="30s", grants=["wall=20s"])
future = executor.submit(pow, 2, 10)
future.add_done_callback(lambda future: print(future.result(), flush=True))
"""


def test_the_interpreter_waits_for_results_at_its_end(site: Site) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_EXIT, site.url],
        check=True,
        capture_output=True,
        text=True,
        timeout=40,
        env={**os.environ, "BRINE_HOME": str(site.caller.path)},
    )
    assert (done.stdout, done.stderr) == ("1024\n", "")


def test_a_worker_that_is_killed_is_said(quiet_site: Site) -> None:
    site = quiet_site
    with site.executor() as executor:
        killed = site.start("--lease", "1s")
        future = executor.submit(time.sleep, 15)
        wait_until(lambda: site.begun() == 1)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        with site.at_work("--lease", "1s"):
            error = future.exception(timeout=30)
            assert isinstance(error, brine.JobInterruptedError)
            assert error.outcome == "interrupted"
            assert error.job_result is not None
            assert error.job_result.signer == "worker"
            assert executor.submit(abs, -1).result() == 1


def test_a_function_hops_between_two_homes(tmp_path: Path) -> None:
    """A result that is a function again is sent on: ten hops, and each home works for the other."""
    executor_kit.refuse_uninstalled()
    here, there = Site(tmp_path), Site(make(tmp_path / "there"))
    for site in (here, there):
        site.caller.believe(site.worker, "python-code/reply/*")

    def bounce(left: int, trail: list[str]) -> object:
        if left == 0:
            return trail
        return lambda name: bounce(left - 1, [*trail, name])

    with (
        here.at_work(),
        there.at_work(),
        here.executor(code="worker") as to_here,
        there.executor(code="worker") as to_there,
    ):
        value: Any = lambda name: bounce(9, [name])
        hops = 0
        while callable(value):
            executor, name = [(to_here, "here"), (to_there, "there")][hops % 2]
            value = executor.submit(value, name).result()
            hops += 1
    assert hops == 10
    assert value == ["here", "there"] * 5


def make(directory: Path) -> Path:
    """Make a directory."""
    directory.mkdir()
    return directory


def test_a_worker_that_may_not_answer_is_passed_over(quiet_site: Site) -> None:
    site = quiet_site
    other = Home(site.directory, "other")
    other.believe(site.caller, "work")
    (other.path / "policy.toml").write_text(executor_kit.POLICY.format(caller="caller"))
    site.caller.believe(other, "reply/*")
    with site.at_work(home=other), site.executor(answers_from="worker", timeout="8s") as executor:
        error = executor.submit(abs, -1).exception()
    assert isinstance(error, brine.NoAnswerError)
    assert "1 wrong-signer" in error.message
    with site.at_work(home=other), site.executor(answers_from=["worker", "other"]) as executor:
        assert executor.submit(abs, -1).result() == 1
    assert wait_for_text(site.log, "ended well") is None
