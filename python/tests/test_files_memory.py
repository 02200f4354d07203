"""Memory stays bounded, however long a stream is."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import pathlib, resource, sys
import brine

MEBIBYTES = int(sys.argv[1])
key = brine.Key.generate()
trust = brine.Trust.of({"alice": key.public})
piece = bytes(range(256)) * 4096
path = pathlib.Path(sys.argv[2])

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

before = peak()
for is_path in (True, False):
    with brine.open(path if is_path else path.open("r+b"), "wb", key=key) as file:
        for _ in range(MEBIBYTES):
            file.write(piece)
    with brine.open(path if is_path else path.open("rb"), trust=trust) as file:
        count = 0
        while content := file.read(len(piece)):
            assert content == piece
            count += 1
    assert count == MEBIBYTES
    path.write_bytes(b"")
print(peak() - before)
"""


@pytest.mark.time_limit(120)
def test_memory_is_bounded(tmp_path: object) -> None:
    """A stream of 96 MiB takes less than 64 MiB more than nothing. ``scripts/bench-python-files`` reads gigabytes."""
    command = [sys.executable, "-c", PROGRAM, "96", f"{tmp_path}/data"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=110)
    assert int(done.stdout) < 64
