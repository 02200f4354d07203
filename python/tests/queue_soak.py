"""Send messages through a queue while its consumers are killed and somebody forges and repeats messages.

Count what was given out: ``scripts/soak-queue`` is the way to start it by hand.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pickle
import random
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, fields
from multiprocessing import queues as plain_queues
from pathlib import Path
from queue import Empty
from typing import Any

import brine

CTX: Any = multiprocessing.get_context("fork")

FORGED = -1
"""The producer that forged messages name."""

STALL_SECONDS = 3.0
"""A queue that gives out nothing for this long, while messages are in it, has lost its framing."""


@dataclass
class Options:
    """How much is sent, and how many consumers are killed."""

    messages: int = 100_000
    rounds: int = 20
    kills: int = 400
    producers: int = 4
    consumers: int = 4
    attacks: int = 200
    seed: int = 1


@dataclass
class Counts:
    """What became of the messages."""

    put: int = 0
    given: int = 0
    twice: int = 0
    forged: int = 0
    lost: int = 0
    kills: int = 0
    locks_freed: int = 0
    attacks: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    broken_rounds: int = 0
    lost_in_broken: int = 0
    seconds: float = 0.0

    def line(self, name: str) -> str:
        """Write the counts for people."""
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.refused.items()))
        return (
            f"{name:12} put {self.put}, given out {self.given}, twice {self.twice}, forged {self.forged}, "
            f"lost {self.lost} with {self.kills} killed consumers ({self.locks_freed} held the lock)\n"
            f"{'':12} attacks {self.attacks}, refused: {reasons or 'none'}\n"
            f"{'':12} {self.broken_rounds} rounds ended by a kill in the middle of a read, with "
            f"{self.lost_in_broken} messages lost; {self.seconds:.0f} s"
        )


class WatchedLock:
    """A lock that says which process holds it, so that it can be freed if that one was killed."""

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self.holder = CTX.RawValue("q", 0)

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        if not self.lock.acquire(block, timeout):
            return False
        self.holder.value = os.getpid()
        return True

    def release(self) -> None:
        self.holder.value = 0
        self.lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Round:
    """One queue, its producers, consumers and attacker, from the first message to the last."""

    def __init__(self, options: Options, signed: bool, seed: int, directory: Path) -> None:
        self.options = options
        self.random = random.Random(seed)
        self.directory = directory
        self.signed = signed
        self.queue = brine.SignedQueue[Any](ctx=CTX) if signed else plain_queues.Queue(ctx=CTX)
        self.lock = self.queue._rlock = WatchedLock(self.queue._rlock)
        self.allowed = CTX.RawValue("q", 0)
        self.each = options.messages // options.rounds // options.producers
        self.kills = options.kills // options.rounds
        self.attacks = options.attacks // options.rounds
        self.counts = Counts(put=self.each * options.producers)
        self.consumers: list[Any] = []
        self.producers: list[Any] = []
        self.started = 0

    def run(self) -> Counts:
        """Do it, and count."""
        begin = time.monotonic()
        self.producers = [
            CTX.Process(
                target=produce,
                args=(self.queue, index, self.each, str(self.directory), self.allowed),
            )
            for index in range(self.options.producers)
        ]
        for _ in range(self.options.consumers):
            self.start_consumer()
        for producer in self.producers:
            producer.start()
        healthy = self.supervise()
        for process in [*self.producers, *self.consumers]:
            if not healthy:
                process.kill()
            process.join()
        self.count(healthy)
        self.counts.seconds = time.monotonic() - begin
        return self.counts

    def start_consumer(self) -> None:
        """Start one more consumer, which has a file of its own for what it is given."""
        path = self.directory / f"given-{self.started}"
        self.started += 1
        consumer = CTX.Process(target=consume, args=(self.queue, str(path)))
        consumer.start()
        self.consumers.append(consumer)

    def supervise(self) -> bool:
        """Let messages flow, kill and attack meanwhile, until everything was given out or lost."""
        steps = max(self.kills, self.attacks, 1)
        for step in range(steps):
            self.allowed.value = self.each * (step + 1) // steps
            if step < self.attacks:
                self.attack()
            time.sleep(self.random.uniform(0, 0.02))
            if self.counts.put and step % 16 == 15:
                self.wait_for_progress()
            if step < self.kills:
                self.kill_one()
        self.wait_until_drained()
        return self.stop_consumers()

    def wait_for_progress(self) -> None:
        """Wait until something is given out, so that no lock stays locked for the rest of the round."""
        given, since = self.given_lines(), time.monotonic()
        while self.given_lines() == given and time.monotonic() - since < STALL_SECONDS:
            if time.monotonic() - since > STALL_SECONDS / 2 and not self.is_drained():
                self.free_unclaimed_lock()
            elif self.is_drained():
                return
            time.sleep(0.005)

    def wait_until_drained(self) -> None:
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < STALL_SECONDS:
            given = self.given_lines()
            if given != seen:
                seen, since = given, time.monotonic()
            if time.monotonic() - since > STALL_SECONDS / 2:
                self.free_unclaimed_lock()
            ended = not any(producer.is_alive() for producer in self.producers)
            if ended and self.is_drained():
                return
            time.sleep(0.01)

    def is_drained(self) -> bool:
        return bool(self.queue.empty())

    def stop_consumers(self) -> bool:
        """Have the consumers end by themselves. Return whether the queue was still in order."""
        (self.directory / "stop").touch()
        deadline = time.monotonic() + 2 * STALL_SECONDS
        while any(consumer.is_alive() for consumer in self.consumers):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return self.is_drained()

    def kill_one(self) -> None:
        """Kill a consumer wherever it is, and start another one."""
        consumer = self.random.choice(self.consumers)
        os.kill(consumer.pid, signal.SIGKILL)
        consumer.join()
        if self.lock.holder.value == consumer.pid:
            self.lock.release()
            self.counts.locks_freed += 1
        self.consumers.remove(consumer)
        self.counts.kills += 1
        self.start_consumer()

    def free_unclaimed_lock(self) -> None:
        """Free the lock if its holder was killed before it could say that it has it."""
        if self.lock.lock.acquire(timeout=0.5):
            self.lock.lock.release()
        elif self.lock.holder.value == 0:
            self.lock.lock.release()
            self.counts.locks_freed += 1

    def attack(self) -> None:
        """Write a forged message into the pipe, or one that was sent before."""
        seen = sorted(self.directory.glob("sent-*"))
        if seen and self.random.random() < 0.5:
            message = self.random.choice(seen).read_bytes()
        elif self.signed:
            forger = brine.Signer(brine.Key.generate(), context=self.queue.context)
            message = forger.sign_record(pickle.dumps((FORGED, 0)))
        else:
            message = pickle.dumps((FORGED, 0))
        if message and self.queue._wlock.acquire(timeout=1):
            if select.select([], [self.queue._writer], [], 1)[1]:
                self.queue._sem.acquire()
                self.queue._writer.send_bytes(message)
                self.counts.attacks += 1
            self.queue._wlock.release()

    def given_lines(self) -> int:
        return sum(path.stat().st_size // LINE_BYTES for path in self.directory.glob("given-*"))

    def count(self, healthy: bool) -> None:
        """Compare what was put with what was given out."""
        given: Counter[tuple[int, int]] = Counter()
        for path in self.directory.glob("given-*"):
            for line in path.read_text().splitlines():
                producer, number = line.split()
                if producer == "refused":
                    self.counts.refused[number] += 1
                else:
                    given[int(producer), int(number)] += 1
        self.counts.forged = sum(count for (who, _), count in given.items() if who == FORGED)
        own = {each: count for each, count in given.items() if each[0] != FORGED}
        self.counts.given = len(own)
        self.counts.twice = sum(count - 1 for count in own.values())
        self.counts.lost = self.counts.put - len(own)
        if not healthy:
            self.counts.broken_rounds, self.counts.lost_in_broken = 1, self.counts.lost
            self.counts.lost = 0


LINE_BYTES = 24
"""How long each line is that a consumer writes: one write, whole or not at all."""


class Recorder:
    """Sends messages, and keeps a few of them in files, for whoever wants to send them again."""

    def __init__(self, writer: Any, prefix: str) -> None:
        self.writer = writer
        self.prefix = prefix
        self.sent = 0

    def send_bytes(self, message: bytes) -> None:
        if self.sent % 50 == 0:
            Path(f"{self.prefix}-{self.sent}").write_bytes(message)
        self.sent += 1
        self.writer.send_bytes(message)


def produce(queue: Any, producer: int, count: int, directory: str, allowed: Any) -> None:
    """Put numbered messages."""
    recorder = Recorder(queue._writer, f"{directory}/sent-{producer}")
    if isinstance(queue, brine.SignedQueue):
        queue._send_bytes._writer = recorder
    else:
        queue._send_bytes = recorder.send_bytes
    for number in range(count):
        while number >= allowed.value:
            time.sleep(0.001)
        queue.put((producer, number))
    queue.close()
    queue.join_thread()


def consume(queue: Any, path: str) -> None:
    """Take messages until told to stop, and write down each one that was given out."""
    directory = Path(path).parent
    with open(path, "ab", buffering=0) as file:
        while True:
            try:
                producer, number = queue.get(timeout=0.2)
            except Empty:
                if (directory / "stop").exists():
                    return
                continue
            except brine.Error as error:
                producer, number = "refused", SHORT.get(error.reason, error.reason)
            except Exception as error:  # noqa: BLE001
                producer, number = "refused", type(error).__name__
            file.write(
                f"{producer} {number}".ljust(LINE_BYTES - 1).encode()[: LINE_BYTES - 1] + b"\n"
            )


SHORT = {"not-an-envelope": "no-envelope", "unknown-signer": "unknown"}


def run(options: Options, signed: bool) -> Counts:
    """Send all messages, in rounds that have a queue each."""
    total = Counts()
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as directory:
            counts = Round(options, signed, options.seed * 1000 + number, Path(directory)).run()
        for each in fields(Counts):
            setattr(total, each.name, getattr(total, each.name) + getattr(counts, each.name))
    return total


def main() -> int:
    """Run both queues, print the counts, and return 1 if a rule does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    for each in fields(Options):
        parser.add_argument(f"--{each.name}", type=int, default=each.default, metavar="N")
    options = Options(**vars(parser.parse_args()))
    print(f"seed {options.seed}, {options.producers} producers, {options.consumers} consumers")
    ours, plain = run(options, signed=True), run(options, signed=False)
    print(ours.line("SignedQueue"))
    print(plain.line("Queue"))
    broken = [
        rule
        for rule, holds in {
            "SignedQueue gave a message out twice": ours.twice == 0,
            "SignedQueue gave a forged message out": ours.forged == 0,
            "SignedQueue lost more messages than consumers were killed": ours.lost <= ours.kills,
            "the plain queue should have given out what was repeated": plain.twice > 0,
            "the plain queue should have given out what was forged": plain.forged > 0,
        }.items()
        if not holds
    ]
    for rule in broken:
        print(f"queue_soak: {rule}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
