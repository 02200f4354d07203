"""How a guest starts: what it is told, why it did not start, and that nobody's guest is left behind."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

import brine
from brine import _guest_process
from conftest import wait_until
from sandbox_kit import refuse_without_confinement

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def confined() -> None:
    refuse_without_confinement()


@pytest.fixture
def starts_no_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a process is started."""

    def fail(_command: list[str]) -> None:
        pytest.fail("a process was started")

    monkeypatch.setattr(_guest_process, "_popen", fail)


@pytest.mark.usefixtures("starts_no_guest")
@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"builtins": 5}, "builtins: expected a list of names"),
        ({"builtins": "len"}, "builtins: expected a list of names"),
        ({"builtins": [5]}, "builtins: expected a list of names"),
        ({"builtins": iter(["lenn"])}, "builtins: there is no 'lenn'"),
        ({"modules": 5}, "modules: expected a list of names"),
        ({"modules": None}, "modules: expected a list of names"),
        ({"modules": "math"}, "modules: expected a list of names"),
        ({"modules": b"math"}, "modules: expected a list of names"),
        ({"operations": 5}, "operations: expected a list of names"),
        ({"code_from": 5}, "code_from: expected a list of names"),
        ({"no_code_from": 5}, "no_code_from: expected a list of names"),
        ({"no_code_from": None}, "no_code_from: expected a list of names"),
        ({"ns": "abc"}, "ns: expected a mapping from names"),
        ({"ns": [("x", 1)]}, "ns: expected a mapping from names"),
        ({"ns": 0}, "ns: expected a mapping from names"),
        ({"ns": {5: 1}}, "ns: 5 is no name"),
        ({"ns": {"PowerError": 1}}, "ns: PowerError has a meaning already"),
        ({"ns": {"__builtins__": {}}}, "ns: __builtins__ has a meaning already"),
        ({"ns": {"__name__": "x"}}, "ns: __name__ has a meaning already"),
    ],
)
def test_an_argument_that_makes_no_sense_starts_no_guest(
    rules: dict[str, Any], message: str
) -> None:
    with pytest.raises(brine.UsageError) as refused:
        brine.safe_eval("1", **rules)
    assert (refused.value.message, refused.value.reason) == (message, "usage")


def test_lists_of_names_are_read_once() -> None:
    def once(*names: str) -> Iterator[str]:
        yield from names

    code = "import math\ndef f(n): return len(n) + math.floor(1.5)\nf('ab')"
    rules: dict[str, Any] = {
        "operations": once("def", "import"),
        "modules": once("math"),
        "builtins": once("len"),
    }
    assert brine.safe_eval(code, **rules) == 3


def test_a_call_that_makes_no_sense_leaves_the_guest_as_it_was() -> None:
    pytest.importorskip("cloudpickle")
    lock = threading.Lock()
    calls: list[tuple[Callable[[brine.Sandbox], Any], str, str]] = [
        (lambda one: one.evaluate(5), "code: expected text", "usage"),  # type: ignore[arg-type]
        (lambda one: one.evaluate(b"1"), "code: expected text", "usage"),  # type: ignore[arg-type]
        (lambda one: one.evaluate("1", PowerError=3), "PowerError has a meaning", "usage"),
        (lambda one: one.evaluate("1", __builtins__={}), "__builtins__ has a meaning", "usage"),
        (lambda one: one.call(lambda: lock), "the function cannot be sent", "not-plain"),
        (lambda one: one.call(len, lock), "only plain data and powers cross", "not-plain"),
    ]
    with brine.Sandbox() as one:
        for call, message, reason in calls:
            with pytest.raises(brine.UsageError) as refused:
                call(one)
            assert message in refused.value.message
            assert refused.value.reason == reason
        assert one.evaluate("1") == 1


def test_why_a_guest_did_not_start_is_said() -> None:
    with pytest.raises(brine.GuestError) as raised:
        brine.safe_eval("1", memory=1)
    assert raised.value.reason == "not-started"
    assert raised.value.message.startswith("the guest was not started: starting the job")


def test_a_guest_whose_program_was_killed_has_ended() -> None:
    with brine.Sandbox() as one:
        process = one._process
        assert process is not None
        process._process.kill()
        with pytest.raises(brine.GuestError) as raised:
            one.evaluate("1")
        assert raised.value.reason == "guest-ended"


@pytest.mark.parametrize("has_started", [False, True])
def test_a_guest_that_nobody_waits_for_any_more_is_ended(
    has_started: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, is_caught, is_raised = _guest_process._popen, threading.Event(), threading.Event()
    started: list[subprocess.Popen[bytes]] = []

    def interrupting(command: list[str]) -> subprocess.Popen[bytes]:
        if has_started:
            started.append(real(command))
        # A signal that comes right before a wait does not end it.
        while not is_caught.wait(0.02):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        if not has_started:
            started.append(real(command))
        return started[0]

    def interrupt(*_: object) -> None:
        if not is_raised.is_set():
            is_raised.set()
            raise KeyboardInterrupt

    monkeypatch.setattr(_guest_process, "_popen", interrupting)
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            brine.safe_eval("1")
    finally:
        is_caught.set()
        wait_until(lambda: bool(started))
        signal.signal(signal.SIGINT, before)
    wait_until(lambda: started[0].returncode is not None)
    stream = started[0].stderr
    assert stream is not None
    wait_until(lambda: stream.closed)
    monkeypatch.undo()
    assert brine.safe_eval("6 * 7") == 42
