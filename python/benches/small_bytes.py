"""Time signing and verifying 1 KiB beside PyNaCl, cryptography and the Rust library; and objects beside pickle."""

from __future__ import annotations

import os
import pickle
import platform
import resource
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import cryptography
import nacl
import nacl.signing
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import brine

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGE = os.urandom(1024)
CALLS = 2000


def main(rust: str, rounds: int) -> None:
    """Let everything take turns, and print medians."""
    tasks = signing(rust) | verifying(rust) | loading()
    found: dict[tuple[str, str], list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            found[name].append(task())
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} processors, "
        f"CPython {platform.python_version()}, cryptography {cryptography.__version__}, "
        f"PyNaCl {nacl.__version__}; processor time, medians of {rounds} rounds of {CALLS} calls"
    )
    for kind in dict.fromkeys(kind for kind, _ in tasks):
        show(kind, {tool: times for (of, tool), times in found.items() if of == kind})


def show(kind: str, found: dict[str, list[float]]) -> None:
    """Print the medians of one kind of work, and the ratio of brine to each, round by round."""
    brine_times = found["brine"]
    for tool, times in found.items():
        median = statistics.median(times)
        ratios = [mine / other for mine, other in zip(brine_times, times, strict=True)]
        ratio = statistics.median(ratios)
        print(f"{kind:12} {tool:14} {median / 1000:9.2f} us   brine takes {ratio:5.2f} of it")


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """Return a task that gives the nanoseconds of processor time that one call takes."""

    def task() -> float:
        begun = time.process_time_ns()
        for _ in range(CALLS):
            work()
        return (time.process_time_ns() - begun) / CALLS

    return task


def in_rust(program: str, work: str) -> Callable[[], float]:
    """Return a task that asks the Rust library, and leaves out what a process costs."""

    def seconds(calls: int) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([program, work, str(calls)], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    return lambda: (seconds(CALLS + 1) - seconds(1)) / CALLS * 1e9


Tasks = dict[tuple[str, str], "Callable[[], float]"]


def signing(rust: str) -> Tasks:
    """Make an envelope, or a signed message."""
    signer = brine.Signer(brine.Key.generate(), context="bench")
    sodium = nacl.signing.SigningKey.generate()
    openssl = Ed25519PrivateKey.generate()
    return {
        ("sign", "brine"): timed(lambda: signer.sign(MESSAGE)),
        ("sign", "Rust library"): in_rust(rust, "sign"),
        ("sign", "PyNaCl"): timed(lambda: sodium.sign(MESSAGE)),
        ("sign", "cryptography"): timed(lambda: openssl.sign(MESSAGE) + MESSAGE),
    }


def verifying(rust: str) -> Tasks:
    """Verify an envelope, or a signed message."""
    key = brine.Key.generate()
    envelope = brine.sign(MESSAGE, key=key, context="bench")
    verifier = brine.Verifier(brine.Trust.of({"me": key.public}), context="bench")
    sodium = nacl.signing.SigningKey.generate()
    sodium_message, sodium_public = sodium.sign(MESSAGE), sodium.verify_key
    openssl = Ed25519PrivateKey.generate()
    signature, openssl_public = openssl.sign(MESSAGE), openssl.public_key()
    return {
        ("verify", "brine"): timed(lambda: verifier.verify(envelope)),
        ("verify", "Rust library"): in_rust(rust, "verify"),
        ("verify", "PyNaCl"): timed(lambda: sodium_public.verify(sodium_message)),
        ("verify", "cryptography"): timed(lambda: openssl_public.verify(signature, MESSAGE)),
    }


def loading() -> Tasks:
    """Load objects of a small and of a larger size."""
    key = brine.Key.generate()
    trust = brine.Trust.of({"me": key.public})
    tasks: Tasks = {}
    rows: list[dict[str, Any]] = [{"id": n, "name": f"row {n}", "x": n / 3} for n in range(1000)]
    for name, obj in {"loads job": ("add", (1, 2), {"at": "now"}), "loads rows": rows}.items():
        plain = pickle.dumps(obj, protocol=5)
        signed = brine.dumps(obj, context="bench", key=key)

        def load(signed: bytes = signed) -> object:
            return brine.loads(signed, context="bench", trust=trust)

        tasks[name, "brine"] = timed(load)
        tasks[name, "pickle"] = timed(lambda plain=plain: pickle.loads(plain))
    return tasks


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
