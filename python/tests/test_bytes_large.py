"""Payloads over 2 GiB and 3 GiB, and the memory that they take.

It needs about 10 GiB of memory, and is run by hand: ``BRINE_TEST_LARGE=1 pytest -s test_bytes_large.py``.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.skipif("BRINE_TEST_LARGE" not in os.environ, reason="BRINE_TEST_LARGE is not set"),
    pytest.mark.time_limit(600),
]

GIB = 1 << 30

PROGRAM = """
import resource, sys, brine
work, size = sys.argv[1], int(sys.argv[2])
key = brine.Key.generate()
signer, verifier = brine.Signer(key), brine.Verifier(brine.Trust.of({"me": key.public}))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
data = bytes(size - 1) + b"x"
envelope = signer.sign(data, detached="beside" in work)
if "buffer" in work:
    data = memoryview(data)
if work != "sign":
    payload = verifier.verify(envelope, *([data] if "beside" in work else [])).payload
    assert len(payload) == size and payload[-1:] == b"x"
assert len(envelope) > size or "beside" in work
print(peak())
"""

COPIES = {"sign": 2, "verify": 3, "beside": 1, "beside buffer": 2}
"""How many copies of the data a process has that holds on to all that it is given."""


@pytest.mark.parametrize("work", COPIES)
def test_a_payload_of_3_gib_takes_no_more_memory_than_what_is_returned(work: str) -> None:
    size = 3 * GIB
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, work, str(size)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    peak = int(done.stdout)
    print(f"{work}: peak {peak / GIB:.2f} GiB for {size / GIB:.0f} GiB of data")
    assert peak < COPIES[work] * size + GIB // 4
