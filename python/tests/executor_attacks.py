"""Functions that try what a worker must not let them do, each with how it ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cloudpickle

import brine
from brine._brine import cbor_encode

cloudpickle.register_pickle_by_value(sys.modules[__name__])

MIB = 1024 * 1024


@dataclass(frozen=True)
class Attack:
    """What a function does, what it asks for, and how that may end."""

    does: Callable[[], Any]
    ends: tuple[str, ...]
    grants: tuple[str, ...] = ()


def how_it_ended(future: brine.JobFuture[Any]) -> str:
    """Say in one form how a job ended."""
    error = future.exception()
    if error is None:
        return "value"
    if isinstance(error, brine.RemoteError):
        return f"raised {error.type}"
    if isinstance(error, brine.JobError):
        return f"{type(error).__name__} {error.outcome} {error.reason}"
    assert isinstance(error, brine.Error)
    return f"{type(error).__name__} {error.reason}"


def hang() -> None:
    """Wait for ever."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)


def compute() -> None:
    """Compute for ever."""
    while True:
        pass


def eat_memory() -> int:
    """Take memory, and more of it."""
    eaten = []
    while True:
        eaten.append(bytearray(os.urandom(4096) * 256))


def eat_memory_in_children() -> None:
    """Take memory in many processes, each a little."""
    while os.fork() == 0:
        held = bytearray(os.urandom(4096) * 1024)
        assert held
    while True:
        time.sleep(60)


def fork_for_ever() -> None:
    """Start processes, and more of them."""
    while True:
        if os.fork() == 0:
            time.sleep(60)


def leave_a_child() -> str:
    """Leave a process behind, which has the output open."""
    if os.fork() == 0:
        time.sleep(60)
    return "value"


def phone_home() -> None:
    """Connect to somewhere."""
    socket.create_connection(("127.0.0.1", 9), timeout=5)


def print_garbage() -> str:
    """Write to every descriptor, that of the answer included."""
    print("garbage")
    for descriptor in range(3, 32):
        with contextlib.suppress(OSError):
            os.write(descriptor, b"\xff garbage")
    return "value"


def mount() -> None:
    """Make a system call that ends the job."""
    ctypes.CDLL(None).mount(b"none", b"/tmp", b"tmpfs", 0, None)


def kill_the_first() -> None:
    """Kill the process that ends the job."""
    os.kill(1, signal.SIGKILL)


def read_secrets() -> None:
    """Read what is not the job's."""
    with open("/etc/shadow") as file:
        file.read()


def write_a_library() -> None:
    """Leave something for the next job."""
    with open(os.path.join(os.path.dirname(brine.__file__), "left.py"), "w") as file:
        file.write("x")


def leave_a_file() -> str:
    """Look for what the last job left, and leave something for the next one."""
    if os.path.exists("/job/work/left"):
        return "found what another job left"
    with open("/job/work/left", "w") as file:
        file.write("x")
    return "value"


def flood() -> str:
    """Write more than a job may."""
    answer(b"x" * 17 * MIB)
    return "value"


def answer(data: bytes) -> None:
    """Write an answer in place of the loader, and end."""
    for descriptor in range(3, 32):
        with contextlib.suppress(OSError):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os._exit(0)


class Evil:
    """Runs a command where it is loaded without a list."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch evil-was-here",)


def answering(**members: Any) -> Callable[[], None]:
    """Return what answers with these members."""
    data = cbor_encode(members)
    assert data is not None
    return lambda: answer(data)


LAUGHS: list[Any] = []
for _ in range(12):
    LAUGHS = [LAUGHS] * 8

ATTACKS = {
    "raises": Attack(lambda: int("no number"), ("raised ValueError",)),
    "asks for more than the policy gives": Attack(
        lambda: 1, ("JobRefusedError refused grant-not-allowed",), ("tcp=443",)
    ),
    "asks for an interpreter": Attack(
        lambda: 1,
        ("JobRefusedError refused grant-not-allowed", "JobRefusedError refused grant-with-command"),
        ("run=sh",),
    ),
    "hangs": Attack(hang, ("JobTimeoutError timed-out timed-out",), ("wall=600ms",)),
    "computes for ever": Attack(
        compute, ("JobTimeoutError out-of-processor-time out-of-processor-time",), ("cpu=1s",)
    ),
    "eats memory": Attack(
        eat_memory,
        ("raised MemoryError", "JobMemoryError out-of-memory out-of-memory"),
        ("memory=64MiB",),
    ),
    "eats memory in children": Attack(
        eat_memory_in_children,
        ("raised MemoryError", "JobMemoryError out-of-memory out-of-memory"),
        ("memory=96MiB", "processes=64"),
    ),
    "forks for ever": Attack(fork_for_ever, ("raised BlockingIOError",), ("processes=6",)),
    "leaves a child": Attack(leave_a_child, ("value",)),
    "phones home": Attack(phone_home, ("raised PermissionError",)),
    "prints garbage": Attack(print_garbage, ("JobError invalid-output output-not-cbor",)),
    "mounts": Attack(mount, ("JobError violated seccomp",)),
    "kills the first process": Attack(kill_the_first, ("raised PermissionError",)),
    "reads secrets": Attack(read_secrets, ("raised FileNotFoundError",)),
    "writes a library": Attack(write_a_library, ("raised OSError", "raised PermissionError")),
    "leaves a file": Attack(leave_a_file, ("value",)),
    "exits": Attack(lambda: os._exit(7), ("JobError failed failed",)),
    "exits with success": Attack(lambda: os._exit(0), ("JobError invalid-output output-not-cbor",)),
    "kills itself": Attack(
        lambda: os.kill(os.getpid(), signal.SIGSEGV), ("JobError failed failed",)
    ),
    "floods": Attack(flood, ("JobError output-too-large output-too-large",)),
    "answers with an evil pickle": Attack(
        answering(v=1, pickle=pickle.dumps(Evil())), ("UntrustedError import-not-allowed",)
    ),
    "answers with code that nobody asked for": Attack(
        answering(v=1, code=pickle.dumps(Evil()), python="3.12"),
        ("UntrustedError result-is-code",),
    ),
    "answers with a broken pickle": Attack(
        answering(v=1, pickle=b"\x80\x05garbage."), ("AlteredError truncated",)
    ),
    "answers in another version": Attack(answering(v=2, value=1), ("AlteredError answer-form",)),
    "answers with more than an answer": Attack(
        answering(v=1, value=1, pickle=b""), ("AlteredError answer-form",)
    ),
    "answers twice": Attack(
        lambda: answer(b"\xf6\xf6"), ("JobError invalid-output output-not-cbor",)
    ),
    "answers with a value that is none here": Attack(
        lambda: answer(bytes.fromhex("a2617601" + "6576616c7565" + "f7")),
        ("AlteredError answer-form",),
    ),
}
"""By what they are called."""
