"""Workers of arq that are killed, and a server that is restarted."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine

arq = pytest.importorskip("arq")

from arq.connections import RedisSettings
from arq.constants import in_progress_key_prefix, job_key_prefix

import brine.arq
from conftest import until
from server_kit import Server, server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ("arq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


COUNT = int(os.environ.get("BRINE_TASKS", "200"))

WORKER = """
import brine, brine.arq
from arq.connections import RedisSettings
from pathlib import Path

here = Path(__file__).parent
key = brine.Key.from_pem((here / "key").read_text())
trust = brine.Trust.of({"alice": key.public})

async def note(ctx, number):
    with open(here / "ran", "a") as file:
        file.write(f"{number}\\n")

class WorkerSettings:
    functions = [note]
    queue_name = "soak"
    poll_delay = 0.01
    job_timeout = 1
    max_tries = 1000
    keep_result = 0
    redis_settings = RedisSettings(port=int((here / "port").read_text()))

brine._arq_deliveries.LEASE = brine._arq_deliveries.timedelta(seconds=2)
brine._arq_jobs.WAIT = brine._arq_jobs.timedelta(seconds=1)
brine.arq.sign(WorkerSettings, key=key, trust=trust, expires="1d", replay_db=here / "seen")
"""


class Soak:
    """A server of its own, whose workers are killed."""

    def __init__(self, place: Path, signing: dict[str, Any], running: Server) -> None:
        self.place, self._signing, self._server = place, signing, running
        self.pool: Any = None
        (place / "soak.py").write_text(WORKER)
        (place / "key").write_text(signing["key"].to_pem())
        (place / "port").write_text(str(running.start_of.port))

    async def connect(self) -> None:
        """Make a pool, and forget the one there was."""
        place = RedisSettings(port=self._server.start_of.port)
        pool = await arq.create_pool(place, default_queue_name="soak")
        self.pool = brine.arq.sign(pool, **self._signing)

    async def restart(self) -> None:
        """Restart the server, as after a loss of power."""
        await self.pool.aclose(close_connection_pool=True)
        self._server.stop()
        self._server.start()
        await self.connect()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have a worker at work, and kill it."""
        command = [sys.executable, "-m", "arq", "soak.WorkerSettings"]
        worker = subprocess.Popen(command, cwd=self.place, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            worker.kill()
            worker.wait()

    async def until_empty(self) -> None:
        """Have two workers do everything there is."""
        with self.at_work(), self.at_work():
            while await self.pool.zcard("soak"):
                await asyncio.sleep(0.01)

    async def put(self, job_id: str, value: bytes) -> None:
        """Queue a value, as somebody does who can write to Redis."""
        await arq.ArqRedis(self.pool.connection_pool).set(job_key_prefix + job_id, value)
        await self.pool.zadd("soak", {job_id: 1})

    def ran(self) -> list[int]:
        """Return which jobs ran."""
        path = self.place / "ran"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    async def reasons(self) -> list[str]:
        """Return why jobs were refused."""
        return [one.reason for one in await brine.arq.refused(self.pool)]


@pytest.mark.time_limit(60 + COUNT)
def test_workers_that_are_killed_and_a_server_that_is_restarted(
    tmp_path: Path, signing: dict[str, Any]
) -> None:
    data = tmp_path / "redis"
    data.mkdir()

    async def play(soak: Soak) -> None:
        await soak.connect()
        values = {}
        for number in range(COUNT):
            job = await soak.pool.enqueue_job("note", number)
            values[job.job_id] = await arq.ArqRedis(soak.pool.connection_pool).get(
                job_key_prefix + job.job_id
            )
        for at, value in enumerate(list(values.values())[::10]):
            await soak.put(f"altered-{at}", value[:-1] + bytes([value[-1] ^ 1]))
        kills = COUNT // 50
        for kill in range(kills):
            with soak.at_work():
                await until(lambda so_many=30 * (kill + 1): len(soak.ran()) >= so_many)
            if kill == kills // 2:
                await soak.restart()
            # Else arq waits for a quarter of a minute until it gives out what the worker had.
            for name in await soak.pool.keys(in_progress_key_prefix + "*"):
                await soak.pool.delete(name)
        await soak.until_empty()
        ran = soak.ran()
        assert set(ran) == set(range(COUNT))
        # A worker that is killed can have done ten jobs at most without an answer.
        assert len(ran) <= COUNT + 10 * kills
        assert await soak.reasons() == ["signature-bad"] * (COUNT // 10)
        for job_id, value in values.items():
            await soak.put(job_id, value)
        await soak.until_empty()
        # A worker that was killed had stored ten results at most without a note in the ledger.
        again = len(soak.ran()) - len(ran)
        assert again <= 10 * kills
        assert (await soak.reasons()).count("replayed") == COUNT - again
        print(
            f"{COUNT} jobs, {len(ran)} runs, {kills} workers killed, the server restarted; {COUNT // 10} altered "
            f"ones refused and kept, and {COUNT - again} of {COUNT} copied ones"
        )
        await soak.pool.aclose(close_connection_pool=True)

    with server("redis", data) as running:
        asyncio.run(play(Soak(tmp_path, signing, running)))
