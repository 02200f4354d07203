"""The socket to a guest: whatever becomes of the guest, the host goes on."""

from __future__ import annotations

import gc
import signal
import socket
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import brine
from brine import _guest_process
from brine._wire import Wire
from conftest import in_child
from sandbox_kit import refuse_without_confinement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def with_default_signals(work: Callable[[], Any]) -> Callable[[], Any]:
    """Do something in a child whose broken pipes are told by a signal, which ends a process."""

    def do() -> None:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        work()

    return do


def test_a_guest_that_has_hung_up_is_an_error_and_no_signal() -> None:
    ours, theirs = socket.socketpair()
    wire = Wire(ours, lambda: None, lambda: None)
    theirs.close()

    def write() -> None:
        with pytest.raises(BrokenPipeError):
            wire.write(b"a message")

    assert in_child(with_default_signals(write)) == 0
    ours.close()


def test_a_program_that_reads_nothing_is_an_error_and_no_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_without_confinement()
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho 'it runs nothing today' >&2\nexit 125\n")
    program.chmod(0o700)
    monkeypatch.setattr(_guest_process, "_program", lambda: str(program))

    def start() -> None:
        with pytest.raises(brine.GuestError) as refused:
            # More than a pipe holds.
            brine.Sandbox(modules=["m" * 200_000])
        assert refused.value.reason == "not-started"
        assert "the guest was not started: it runs nothing today" in refused.value.message

    assert in_child(with_default_signals(start)) == 0


ENDS: dict[str, tuple[str, type[BaseException] | None]] = {
    "a value": ("1", None),
    "a time limit": ("while True: pass", brine.JobTimeoutError),
    "what no guest says": ("import os\nos.write(3, b'\\xff' * 4)", brine.GuestError),
    "its end": ("import os\nos._exit(0)", brine.GuestError),
    "a method that closes it": ("ends.close()", brine.GuestError),
    "a method that is interrupted": ("ends.interrupt()", KeyboardInterrupt),
    "a method that exits": ("ends.exit()", SystemExit),
}


@pytest.mark.parametrize(("code", "error"), ENDS.values(), ids=ENDS)
def test_a_sandbox_that_is_closed_holds_no_socket(code: str, error: Any) -> None:
    refuse_without_confinement()

    class Ends:
        def close(self) -> None:
            one.close()

        def interrupt(self) -> None:
            raise KeyboardInterrupt

        def exit(self) -> None:
            raise SystemExit

    ends = brine.Power(Ends(), ["close", "interrupt", "exit"])
    rules: dict[str, Any] = {"operations": ["while", "import"], "modules": ["os"]}
    with brine.Sandbox({"ends": ends}, **rules, wall="2s", cpu="30s") as one:
        if error is None:
            one.evaluate(code)
        else:
            with pytest.raises(error):
                one.evaluate(code)
            assert one._socket.fileno() == -1
    assert one._socket.fileno() == -1


def test_a_sandbox_ends_when_the_last_name_of_it_goes() -> None:
    refuse_without_confinement()
    one = [brine.Sandbox()]
    one[0].evaluate("1")
    left = [weakref.ref(one[0]), weakref.ref(one[0]._socket)]
    gc.disable()
    try:
        with pytest.warns(ResourceWarning, match="not closed"):
            one.clear()
        assert [reference() for reference in left] == [None, None]
    finally:
        gc.enable()
