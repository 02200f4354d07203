"""Threads, forks and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import brine
from conftest import wait_for, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 8


def in_threads(work: Callable[[int], None], count: int = THREADS) -> None:
    """Do some work in several threads at once, and raise what one of them raised."""
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))


def test_threads_share_a_signer_and_a_verifier(alice: brine.Key, trust: brine.Trust) -> None:
    signer = brine.Signer(alice, context="c")
    verifier = brine.Verifier(trust, context="c")

    def work(number: int) -> None:
        for size in range(100):
            data = bytes([number]) * size
            verified = verifier.verify(signer.sign(data))
            assert (verified.payload, verified.signer) == (data, "alice")
            forged = bytearray(signer.sign(data))
            forged[-1] ^= 1
            with pytest.raises(brine.AlteredError):
                verifier.verify(forged)

    in_threads(work)


def test_records_have_numbers_of_their_own(alice: brine.Key, trust: brine.Trust) -> None:
    signer = brine.Signer(alice)
    verifier = brine.Verifier(trust)
    records: list[bytes] = []

    def work(number: int) -> None:
        for _ in range(25):
            records.append(signer.sign_record(b"x"))
        records.extend(signer.sign_batch([b"x"] * 25))

    in_threads(work)
    sequences = [verifier.verify(record).sequence for record in records]
    assert {found[0] for found in sequences if found} == {signer.channel}
    assert sorted(found[1] for found in sequences if found) == list(range(THREADS * 50))


def test_ids_are_never_the_same(alice: brine.Key, trust: brine.Trust) -> None:
    signer, verifier = brine.Signer(alice), brine.Verifier(trust)
    ids: list[str | None] = []
    in_threads(lambda _: ids.extend(verifier.verify(signer.sign(b"")).id for _ in range(50)))
    assert Counter(ids).most_common(1)[0][1] == 1


@pytest.mark.parametrize("call", ["sign", "verify", "sign detached", "verify detached"])
def test_other_threads_go_on_meanwhile(call: str, alice: brine.Key, trust: brine.Trust) -> None:
    data = bytes(16 << 20)
    signer, verifier = brine.Signer(alice), brine.Verifier(trust)
    envelope = signer.sign(data, detached="detached" in call)
    work = {
        "sign": lambda: signer.sign(data),
        "verify": lambda: verifier.verify(envelope),
        "sign detached": lambda: signer.sign(data, detached=True),
        "verify detached": lambda: verifier.verify(envelope, data),
    }[call]
    assert not any(is_seen_at_work(lambda: sum(range(100_000))) for _ in range(20))
    wait_until(lambda: is_seen_at_work(work))


def is_seen_at_work(work: Callable[[], object]) -> bool:
    """Return whether another thread saw the interpreter while one was at work.

    Nobody takes the interpreter from a thread here: it has to let it go. It may be that the other thread comes too late.
    """
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    begun, done = threading.Event(), threading.Event()

    def at_work() -> None:
        begun.set()
        work()
        done.set()

    thread = threading.Thread(target=at_work)
    try:
        thread.start()
        begun.wait()
        return not done.is_set()
    finally:
        sys.setswitchinterval(switch)
        thread.join()


def test_a_child_numbers_its_records_in_a_channel_of_its_own(alice: brine.Key) -> None:
    signer = brine.Signer(alice)
    signer.sign_record(b"x")
    channels = {signer.channel}
    for _ in range(5):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            signer.sign_record(b"x")
            os.write(writing, signer.channel.encode())
            os._exit(0)
        assert wait_for(child) == 0
        channels.add(os.read(reading, 100).decode())
        os.close(reading)
        os.close(writing)
    assert len(channels) == 6
    assert signer.channel in channels


@pytest.mark.time_limit(120)
def test_a_fork_in_the_middle_of_work_leaves_the_child_able_to_work(
    alice: brine.Key, trust: brine.Trust
) -> None:
    signer = brine.Signer(alice, context="c")
    verifier = brine.Verifier(trust, context="c")
    stop = threading.Event()
    worked = Counter[int]()

    def work(number: int) -> None:
        while not stop.is_set():
            assert verifier.verify(signer.sign_record(b"x" * 2000)).payload == b"x" * 2000
            worked[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    reading, writing = os.pipe()
    try:
        wait_until(lambda: len(worked) == 4)
        for _ in range(200):
            child = os.fork()
            if child == 0:
                good = verifier.verify(signer.sign_record(b"child")).payload == b"child"
                os.write(writing, bytes.fromhex(signer.channel))
                os._exit(0 if good else 1)
            assert wait_for(child, 20) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    channels = os.read(reading, 16 * 200)
    found = {channels[at : at + 16].hex() for at in range(0, len(channels), 16)}
    assert len(found) == 200
    assert signer.channel not in found


FORK_IN_THREADS = """
import os, threading, brine
key = brine.Key.generate()
signer, verifier = brine.Signer(key), brine.Verifier(brine.Trust.of({"a": key.public}))
def work():
    for _ in range(20):
        child = os.fork()
        if child == 0:
            verifier.verify(signer.sign(b"x"))
            os._exit(0)
        verifier.verify(signer.sign(b"x"))
        assert os.waitpid(child, 0)[1] == 0
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print("done")
"""


def test_threads_that_fork_do_not_wait_for_each_other() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK_IN_THREADS],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


HOOK_OF_SOMEBODY_ELSE = """
import importlib, os, brine
signer = brine.Signer(brine.Key.generate())
signed = []
os.register_at_fork(before=lambda: signed.append(signer.sign(b"x")))
# The handlers are registered once more.
importlib.reload(brine)
child = os.fork()
if child == 0:
    os._exit(0 if signer.sign(b"y") else 1)
print(os.waitpid(child, 0)[1], len(signed))
"""


def test_a_hook_of_somebody_else_can_sign_while_the_process_forks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOOK_OF_SOMEBODY_ELSE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "0 1\n", done.stderr


LOCK_OF_SOMEBODY_ELSE = """
import os, threading
lock, has_lock, stop = threading.Lock(), threading.Event(), threading.Event()
# As logging does: its hook was there first, and so runs last.
os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
import brine
signer = brine.Signer(brine.Key.generate())
def work():
    while not stop.is_set():
        with lock:
            has_lock.set()
            signer.sign(bytes(1 << 20))
threads = [threading.Thread(target=work) for _ in range(2)]
[thread.start() for thread in threads]
for _ in range(50):
    has_lock.clear()
    has_lock.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if signer.sign(b"x") else 1)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
print("done", flush=True)
"""


def test_a_fork_waits_for_no_lock_whose_owner_waits_for_the_fork() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOCK_OF_SOMEBODY_ELSE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


DAEMON_IN_BUFFER = """
import threading, time, brine
signer = brine.Signer(brine.Key.generate())
begun = threading.Event()
class Slow:
    def __buffer__(self, flags):
        begun.set()
        while True:
            time.sleep(0.001)
threading.Thread(target=signer.sign, args=(Slow(),), daemon=True).start()
begun.wait()
print("end")
"""


@pytest.mark.xfail(
    sys.version_info < (3, 14),
    strict=False,
    reason="CPython before 3.14 unwinds daemon threads through the extension when the interpreter ends; whether an "
    "optimised build stops that below a call of Python depends on what is inlined",
)
@pytest.mark.skipif(sys.version_info < (3, 12), reason="buffers are made in Python from 3.12 on")
def test_a_process_ends_while_a_daemon_thread_asks_for_a_buffer() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DAEMON_IN_BUFFER],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


INTERRUPTED = """
import signal, sys, brine
key = brine.Key.generate()
signer = brine.Signer(key)
data = bytes(512 << 20)
try:
    print("ready", flush=True)
    while True:
        signer.sign(data, detached=True)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_ends_a_loop_of_calls() -> None:
    child = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.read() == "interrupted\n"
    assert child.returncode == 0


def test_no_thread_is_left_behind(alice: brine.Key, trust: brine.Trust) -> None:
    before = set(os.listdir("/proc/self/task"))
    envelope = brine.sign(bytes(8 << 20), key=alice)
    brine.verify(envelope, trust=trust)
    signature = brine.sign(bytes(8 << 20), key=alice, detached=True)
    brine.verify(signature, bytes(8 << 20), trust=trust)
    wait_until(lambda: set(os.listdir("/proc/self/task")) <= before)
