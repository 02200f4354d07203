"""The socket to a guest: whatever becomes of the guest, the host goes on."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest

import brine
from brine import _guest_process
from brine._wire import Wire
from conftest import in_child
from sandbox_kit import refuse_without_confinement

if TYPE_CHECKING:
    from collections.abc import Callable


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
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse_without_confinement()
    monkeypatch.setattr(_guest_process, "_program", lambda: "/bin/false")

    def start() -> None:
        with pytest.raises(brine.GuestError) as refused:
            # More than a pipe holds.
            brine.Sandbox(modules=["m" * 200_000])
        assert refused.value.reason == "not-started"

    assert in_child(with_default_signals(start)) == 0
