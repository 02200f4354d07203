"""Private copies against somebody who may look into this process, as other processes of its user may."""

from __future__ import annotations

import gc
import io
import mmap
import os
import re
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

import brine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTENT = bytes(range(256)) * 4096 * 6
"""More than is held in memory of an envelope."""


IN_MEMORY = re.escape("/memfd:brine (deleted)")
ON_DISK = re.escape(tempfile.gettempdir()) + r"/.* \(deleted\)"


def descriptor(pattern: str) -> str:
    """Find the path under ``/proc`` of the one large open file whose name matches a pattern."""
    gc.collect()
    numbers = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    paths = [
        path
        for path in numbers
        if os.path.exists(path) and re.fullmatch(pattern, os.readlink(path))
    ]
    (found,) = (path for path in paths if os.stat(path).st_size > 1 << 20)
    return found


class Intruder(io.BytesIO):
    """A file object that does something to the copy once so much of it was read."""

    def __init__(self, content: bytes, after: int, act: Callable[[str], object]) -> None:
        super().__init__(content)
        self.after = after
        self.act = act
        self.done: list[object] = []

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= self.after and not self.done:
            self.done.append(self.act(descriptor(IN_MEMORY)))
        return super().read(size)


def write(path: str) -> None:
    with open(path, "r+b", buffering=0) as file:
        file.write(b"EVIL")


def append(path: str) -> None:
    os.truncate(path, 100 << 20)


def map_it(path: str) -> mmap.mmap:
    with open(path, "r+b", buffering=0) as file:
        return mmap.mmap(file.fileno(), 4)


def signed(kind: str, key: brine.Key) -> bytes:
    if kind == "single":
        return brine.sign(CONTENT, key=key)
    sink = io.BytesIO()
    with brine.open(sink, "wb", key=key) as file:
        file.write(CONTENT)
    return sink.getvalue()


@pytest.mark.parametrize("act", [write, append, map_it])
@pytest.mark.parametrize("kind", ["single", "stream", "beside"])
def test_what_is_changed_before_it_is_sealed_gets_no_path(
    kind: str, act: Callable[[str], object], alice: brine.Key, trust: brine.Trust
) -> None:
    options: dict[str, Any] = {"trust": trust}
    if kind == "beside":
        options["signature"] = io.BytesIO(brine.sign(CONTENT, key=alice, detached=True))
    content = CONTENT if kind == "beside" else signed(kind, alice)
    intruder = Intruder(content, 5 << 20, act)
    with pytest.raises(brine.Error) as caught:
        brine.verified_path(intruder, **options)
    assert intruder.done
    refusals = {"signature-bad", "digest-mismatch", "io", "temporary-file", "temporary"}
    assert caught.value.reason in refusals


def test_a_large_payload_that_is_changed_while_it_waits_is_not_given_out(
    tmp_path: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    path = tmp_path / "data"
    path.write_bytes(signed("single", alice))
    with brine.open(path, trust=trust) as file:
        assert file.read(1000) == CONTENT[:1000]
        with open(descriptor(ON_DISK), "r+b", buffering=0) as copy:
            copy.seek(3 << 20)
            copy.write(b"EVIL")
        found = b""
        with pytest.raises(brine.InputOutputError, match="changed it"):
            while piece := file.read(10_000):
                found += piece
        assert CONTENT[1000:].startswith(found)
        with pytest.raises(brine.InputOutputError, match="changed it"):
            file.read()


DAEMON = """
import io, sys, threading, time
import brine

key = brine.Key.generate()
trust = brine.Trust.of({"alice": key.public})
sink = io.BytesIO()
with brine.open(sink, "wb", key=key) as file:
    file.write(bytes(3_000_000))

class Slow(io.BytesIO):
    def read(self, size=-1):
        time.sleep(0.001)
        return super().read(min(size, 100))

    def write(self, data):
        time.sleep(0.001)
        return super().write(data)

def read():
    while True:
        brine.open(Slow(sink.getvalue()), trust=trust).read()

def write():
    while True:
        with brine.open(Slow(), "wb", key=key) as file:
            file.write(bytes(3_000_000))

def copy():
    while True:
        brine.verified_path(Slow(sink.getvalue()), trust=trust).close()

for _ in range(3):
    threading.Thread(target=globals()[sys.argv[1]], daemon=True).start()
time.sleep(0.2)
print("end")
"""


@pytest.mark.xfail(
    sys.version_info < (3, 14),
    strict=False,
    reason="CPython before 3.14 unwinds daemon threads through the extension when the interpreter ends; an "
    "optimised build cannot stop that below a call of Python, and the process ends by SIGABRT",
)
@pytest.mark.parametrize("work", ["read", "write", "copy"])
def test_daemon_threads_do_not_bring_the_end_of_the_interpreter_down(work: str) -> None:
    command = [sys.executable, "-c", DAEMON, work]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr
