"""A thousand functions on one worker, many of them hostile: each has its own end, and the worker goes on."""

from __future__ import annotations

import collections
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import brine
import executor_kit
from brine._brine import Queue, cbor_encode
from brine._executor import CONTENT_TYPE, JobFuture
from conftest import wait_until
from executor_attacks import ATTACKS, how_it_ended
from executor_kit import Home, Site
from executor_places import chosen_site
from programs import run

FUNCTIONS = int(os.environ.get("BRINE_TEST_FUNCTIONS", "200"))
"""How many there are: a thousand in scripts/soak-executor, and fewer in each run of the tests."""

SECONDS = 60 + FUNCTIONS // 2


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Have a worker at work."""
    executor_kit.refuse_uninstalled()
    with chosen_site(tmp_path_factory.mktemp("site")) as site, site.at_work("--jobs", "2"):
        yield site


@pytest.mark.parametrize("name", list(ATTACKS))
def test_an_attack_has_its_end(
    site: Site, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    attack = ATTACKS[name]
    with site.executor(grants=attack.grants) as executor:
        future = executor.submit(attack.does)
        assert how_it_ended(future) in attack.ends, future.job_result and future.job_result.errors
        assert future.job_result is not None
        assert future.job_result.signer == "worker"
    assert list(tmp_path.iterdir()) == []


def send(executor: brine.Executor, payload: bytes) -> JobFuture[Any]:
    """Send a job that the executor did not make."""
    future: JobFuture[Any] = JobFuture()
    job, identity = executor._signer.sign_job(payload, grants=executor._grants)
    executor._exchange.send(future, job, identity, 40)
    return future


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (b"print('a script')", "not-a-call"),
        ({}, "not-a-call"),
        ([1], "not-a-call"),
        ({"v": 2}, "call-version"),
        ({"v": 1, "python": "2.7", "code": False, "call": b""}, "python-version"),
        ({"v": 1, "python": "3.12", "code": 0, "call": b""}, "call-form"),
        ({"v": 1, "python": "3.12", "code": False, "call": b"", "more": 1}, "call-form"),
        ({"v": 1, "python": "3.12", "code": False}, "call-form"),
    ],
)
def test_what_is_no_call_is_refused_in_words(site: Site, call: object, reason: str) -> None:
    payload = call if isinstance(call, bytes) else cbor_encode(call)
    assert payload is not None
    with site.executor() as executor:
        error = send(executor, payload).exception()
    assert isinstance(error, brine.JobRefusedError)
    assert error.reason == reason


class Wire:
    """What others put on the queues: for the worker, and for the caller."""

    def __init__(self, site: Site, executor: brine.Executor) -> None:
        self.jobs = Queue(site.url)
        self.reply = str(executor._exchange._verifier.context)
        self.answers = Queue(self.jobs.beside(self.reply))
        self.site = site
        self.stranger = Home(site.directory, "stranger")
        self.stranger.believe(site.caller, "work")
        (self.stranger.path / "policy.toml").write_text(executor_kit.POLICY.format(caller="caller"))
        self.dead: collections.Counter[str] = collections.Counter()
        self.passed_over: collections.Counter[str] = collections.Counter()

    def job(self, key: brine.Key, context: str = "work", expires: str | None = "1h") -> bytes:
        """Sign a job that would write what must not be there."""
        signer = brine.Signer(key, context=context, expires=expires, content_type=CONTENT_TYPE)
        return signer.sign_job(b"evil", grants=["format=cbor", f"reply={self.reply}"])[0]

    def to_worker(self) -> None:
        """Send the worker what is to become a dead letter."""
        caller = self.site.caller.key
        tampered = bytearray(self.job(caller))
        tampered[random.randrange(20, len(tampered))] ^= 1 << random.randrange(8)
        whole = self.job(caller)
        for reason, message in {
            "unknown-signer": self.job(self.stranger.key),
            "context-mismatch": self.job(caller, context="other-work"),
            "replay-expiry-missing": self.job(caller, expires=None),
            "tampered": bytes(tampered),
            "cut-short": whole[: len(whole) // 2],
            "not-an-envelope": b"noise",
        }.items():
            self.jobs.publish([message])
            self.dead[reason] += 1

    def to_caller(self, earlier: bytes) -> None:
        """Send the caller answers of strangers, of other jobs, and of a job that was answered."""
        for home, reason in (
            (self.site.worker, "result-other-job"),
            (self.stranger, "unknown-signer"),
        ):
            other = self.job(self.site.caller.key)
            options = ["--sign-result", "default", "--result-context", self.reply]
            result = run(
                "brine", "run", "-c", "work", *options, "--format", "cbor", "--", "true",
                data=other, home=home.path, status=123,
            )  # fmt: skip
            self.answers.publish([result])
            self.passed_over[reason] += 1
        self.answers.publish([earlier, b"noise", earlier[:-1] + bytes([earlier[-1] ^ 1])])
        self.passed_over["result-other-job"] += 1
        self.passed_over["not-an-envelope"] += 1
        self.passed_over["signature-bad"] += 1


def overheard(executor: brine.Executor) -> list[bytes]:
    """Return a list that gets all answers which the executor takes."""
    answers: list[bytes] = []
    judge = executor._exchange._judge

    def keep(answer: bytes) -> None:
        answers.append(answer)
        judge(answer)

    executor._exchange._judge = keep  # type: ignore[method-assign]
    return answers


@pytest.mark.time_limit(SECONDS)
def test_many_functions_each_with_its_own_end(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    drawn = random.Random(7)
    names = [drawn.choice(list(ATTACKS)) if drawn.random() < 0.4 else "" for _ in range(FUNCTIONS)]
    already_dead = len(site.dead())
    executors = {
        grants: site.executor(grants=grants, timeout=f"{SECONDS}s")
        for grants in {attack.grants for attack in ATTACKS.values()}
    }
    wire = Wire(site, executors[()])
    answers = overheard(executors[()])
    futures: list[tuple[str, JobFuture[Any], int]] = []
    for number, name in enumerate(names):
        if name:
            attack = ATTACKS[name]
            future = executors[attack.grants].submit(attack.does)
        else:
            future = executors[()].submit(lambda number=number: number * number)
        futures.append((name, future, number))
        if number % 20 == 0:
            wire.to_worker()
    futures[0][1].exception()
    wire.to_caller(answers[0])

    ends: collections.Counter[tuple[str, str]] = collections.Counter()
    identities = set()
    for name, future, number in futures:
        end = how_it_ended(future)
        ends[name or "fine", end] += 1
        assert end in (ATTACKS[name].ends if name else ("value",)), (name, end)
        if not name:
            assert future.result() == number * number
        result = future.job_result
        assert result is not None
        assert result.signer == "worker"
        identities.add(result.job)
    assert len(identities) == FUNCTIONS
    # What no trusted signer sent has no result, and is a dead letter.
    expected = sum(wire.dead.values())
    wait_until(lambda: len(site.dead()) == already_dead + expected)
    reasons = collections.Counter(letter["reason"] for letter in site.dead()[already_dead:])
    for reason in set(wire.dead) - {"tampered"}:
        # Where a bit was flipped decides what that is called.
        assert reasons[reason] >= wire.dead[reason], reasons
    # The caller has passed over what is none of its results.
    passed_over = executors[()]._exchange._passed_over
    wait_until(lambda: sum(passed_over.values()) == sum(wire.passed_over.values()))
    assert passed_over == wire.passed_over
    # The worker goes on.
    assert executors[()].submit(abs, -1).result() == 1
    assert all(site.has_answers_of(executor) for executor in executors.values())
    for executor in executors.values():
        executor.shutdown()
    assert not any(site.has_answers_of(executor) for executor in executors.values())
    assert list(tmp_path.iterdir()) == []
    print(*(f"{count:4} {name}: {end}" for (name, end), count in sorted(ends.items())), sep="\n")
    print(*(f"{count:4} dead: {reason}" for reason, count in sorted(reasons.items())), sep="\n")
