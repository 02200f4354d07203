"""RQ with signed jobs while workers are killed and Redis is restarted: what ran, how often, and what was kept."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine
from conftest import in_child, wait_until
from server_kit import server

rq = pytest.importorskip("rq")
redis = pytest.importorskip("redis")

from rq import Retry

import brine.rq
import rq_kit
from rq_kit import Shop, stored

if TYPE_CHECKING:
    from server_kit import Server

WORKER = """
import sys, brine, brine.rq
from pathlib import Path
from redis import Redis

directory = Path(sys.argv[1])
key = brine.Key.from_pem((directory / "key").read_text())
trust = brine.Trust.of({"alice": key.public})
signed = brine.rq.sign(key=key, trust=trust, expires="1d", replay_db=directory / "seen")
worker = signed.SimpleWorker(["shop"], connection=Redis(port=int(sys.argv[2])))
worker.work(burst=sys.argv[3] == "burst", logging_level="CRITICAL")
"""

pytest_plugins = ("rq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

TASKS = int(os.environ.get("BRINE_TASKS", "300"))


class Soak:
    """Jobs, copies of them, and forged ones, and workers that are killed."""

    def __init__(self, directory: Path, place: Server, kind: Any) -> None:
        self.directory, self.place = directory, place
        self.connection = redis.Redis(port=place.start_of.port)
        self.shop = Shop(self.connection, kind)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.interruptions = 0
        self.altered: set[str] = set()
        self.moved: set[str] = set()

    def enqueue(self, number: int) -> None:
        """Enqueue a job, which can be retried once if its number is even, and three more entries for it or forged ones."""
        retry = Retry(max=1) if number % 2 == 0 else None
        job = self.shop.queue.enqueue(
            rq_kit.note_number, number, retry=retry, job_id=f"job-{number}"
        )
        self.shop.push(job.id)
        if number % 10:
            self.shop.push(job.id)
            return
        fields = stored(self.shop, job)
        for name, forged in (("altered", _altered(fields)), ("moved", fields)):
            self.connection.hset(f"rq:job:{name}-{number}", mapping=forged)
            self.shop.push(f"{name}-{number}")
        self.altered.add(f"altered-{number}")
        self.moved.add(f"moved-{number}")

    def start(self, how: str) -> subprocess.Popen[bytes]:
        """Start a worker."""
        paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
        port = str(self.place.start_of.port)
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(self.directory), port, how],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths, "BRINE_RAN": str(self.directory / "ran")},
        )
        self.workers.append(worker)
        return worker

    def interrupt(self, worker: subprocess.Popen[bytes]) -> None:
        """Kill a worker, as a machine without power ends it."""
        worker.kill()
        worker.wait()
        self.interruptions += 1

    def ran(self) -> list[int]:
        """Return the numbers of the jobs that ran."""
        path = self.directory / "ran"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    def is_done(self) -> bool:
        """Tell whether nothing is left to do."""
        queue = self.shop.queue
        left = self.connection.llen(queue.key) + self.connection.llen(queue.intermediate_queue_key)
        return not left + self.connection.zcard(queue.started_job_registry.key)


def _altered(fields: dict[str, bytes]) -> dict[str, bytes]:
    data = fields["data"]
    return {**fields, "data": data[:-1] + bytes([data[-1] ^ 1])}


@pytest.mark.time_limit(60 + TASKS)
def test_killed_workers_and_a_restarted_redis(
    tmp_path: Path, alice: brine.Key, trust: brine.Trust, seen: Path
) -> None:
    (tmp_path / "key").write_text(alice.to_pem())
    (tmp_path / "redis").mkdir()
    kind = brine.rq.sign(key=alice, trust=trust, expires="1d", replay_db=seen)
    with server("redis", tmp_path / "redis") as place:
        soak = Soak(tmp_path, place, kind)
        try:
            work_through(soak, secrets.SystemRandom())
        finally:
            for worker in soak.workers:
                worker.kill()
                worker.wait()
        counts = Counter(soak.ran())
        refused = brine.rq.refused(soak.connection)
        failed = set(soak.shop.queue.failed_job_registry.get_job_ids())
    # Nothing ran that was not sent, and nothing more often than its signer allowed, or more often than workers were lost.
    assert counts.keys() <= set(range(TASKS))
    assert all(count <= (2 if number % 2 == 0 else 1) for number, count in counts.items())
    twice = sum(count - 1 for count in counts.values())
    lost = set(range(TASKS)) - counts.keys()
    assert twice <= soak.interruptions
    # A job that was lost with a worker, and has no retry, is where RQ puts it.
    assert len(lost) <= soak.interruptions
    assert {f"job-{number}" for number in lost} <= failed
    # All that was refused is kept.
    kept: dict[str, set[str | None]] = {}
    for one in refused:
        kept.setdefault(one.reason, set()).add(one.job_id)
    assert kept["signature-bad"] == soak.altered
    assert kept["task-moved"] == soak.moved
    assert set(kept) == {"signature-bad", "task-moved", "replayed"}
    print(
        f"{TASKS} jobs, {soak.interruptions} interruptions: {len(counts)} ran, {twice} of them twice, {len(lost)} were lost "
        f"and are kept as failed, {len(refused)} refusals are kept"
    )


def work_through(soak: Soak, random: secrets.SystemRandom) -> None:
    """Have the jobs done by two workers at a time, of which one is killed again and again, and by a Redis that is once, too."""
    for number in range(TASKS):
        soak.enqueue(number)
    kills = max(2, TASKS // 60)
    workers = [soak.start("stay"), soak.start("stay")]
    for kill in range(kills):
        wanted = (kill + 1) * TASKS // (kills + 1)
        wait_until(lambda wanted=wanted: len(soak.ran()) >= wanted, 60 + TASKS)
        # At any place of what a worker does for a job.
        time.sleep(random.random() / 20)
        if kill == kills // 2:
            soak.place.stop()
            for worker in workers:
                soak.interrupt(worker)
            soak.place.start()
            workers = [soak.start("stay"), soak.start("stay")]
            continue
        which = random.randrange(2)
        soak.interrupt(workers[which])
        workers[which] = soak.start("stay")
    wait_until(lambda: soak.connection.llen(soak.shop.queue.key) == 0, 60 + TASKS)
    for worker in workers:
        soak.interrupt(worker)
    while not soak.is_done():
        soak.shop.let_time_pass()
        assert soak.start("burst").wait(60 + TASKS) == 0


@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize("where", ["execute_job", "prepare_execution", "handle_job_success"])
def test_a_worker_that_is_killed_at_one_place(
    where: str,
    retries: int,
    tmp_path: Path,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BRINE_RAN", str(tmp_path / "ran"))
    retry = Retry(max=retries) if retries else None
    job = shop.queue.enqueue(rq_kit.note_number, 1, retry=retry)

    def killed() -> None:
        worker = shop.worker()
        worker.subscribe = lambda: None
        setattr(worker, where, lambda *_, **__: os._exit(9))
        worker.work(burst=True, logging_level="CRITICAL")

    assert in_child(killed) == 9
    shop.push(job.id)
    for _ in range(3):
        shop.let_time_pass()
        shop.work()
    ran = len((tmp_path / "ran").read_text().splitlines()) if (tmp_path / "ran").exists() else 0
    began, before = where != "execute_job", where != "handle_job_success"
    # Before it began, it is another's to begin. Then it is one run, or as many as it was signed for.
    assert ran == (1 if not began else retries + (0 if before else 1))
    assert job.get_status() == ("finished" if not began or retries else "failed")
    assert set(shop.reasons()) <= {"replayed"}
