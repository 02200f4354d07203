"""Workers of taskiq that are killed, and a server that is restarted."""

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

pytest.importorskip("taskiq")
taskiq_redis = pytest.importorskip("taskiq_redis")

from redis.asyncio import Redis

import brine.taskiq
from server_kit import server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

pytest_plugins = ("taskiq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


COUNT = int(os.environ.get("BRINE_TASKS", "200"))
NUDGE = -1

WORKER = """
import brine, brine.taskiq
from pathlib import Path
from taskiq_redis import RedisStreamBroker

here = Path(__file__).parent
key = brine.Key.from_pem((here / "key").read_text())
trust = brine.Trust.of({"alice": key.public})
broker = RedisStreamBroker((here / "url").read_text(), queue_name="soak", consumer_id="0", idle_timeout=200, xread_block=50)
brine.taskiq.sign(broker, key=key, trust=trust, expires="1d", replay_db=here / "seen")
brine._taskiq_deliveries.LEASE = brine._taskiq_deliveries.timedelta(seconds=2)

@broker.task(task_name="note")
async def note(number: int) -> None:
    with open(here / "ran", "a") as file:
        file.write(f"{number}\\n")
"""


class Soak:
    """A server of its own, whose workers are killed."""

    def __init__(self, place: Path, signing: dict[str, Any], running: Any) -> None:
        self.place, self.server = place, running
        self.url = f"redis://127.0.0.1:{running.start_of.port}"
        self.redis = Redis.from_url(self.url)
        self.broker: Any = taskiq_redis.RedisStreamBroker(
            self.url, queue_name="soak", consumer_id="0"
        )
        brine.taskiq.sign(self.broker, **signing)
        (place / "soak.py").write_text(WORKER)
        (place / "key").write_text(signing["key"].to_pem())
        (place / "url").write_text(self.url)

        @self.broker.task(task_name="note")
        async def note(number: int) -> None:
            raise AssertionError(number)

        self.note = note

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have a worker at work, and kill it."""
        options = ["--workers", "1", "--max-async-tasks", "10", "--log-level", "CRITICAL"]
        command = [sys.executable, "-m", "taskiq", "worker", "soak:broker", *options]
        # Its own process starts another one, which does the work.
        worker = subprocess.Popen(
            command, cwd=self.place, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            yield
        finally:
            os.killpg(worker.pid, 9)
            worker.wait()

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait for a condition, as long as the test may."""
        turn = 0
        while not await condition():
            await asyncio.sleep(0.02)
            turn += 1
            if turn % 25 == 0:
                # The broker looks for what a dead worker had when something new arrives.
                await self.note.kiq(NUDGE)

    async def is_empty(self) -> bool:
        """Tell whether everything was given out and acknowledged."""
        (group,) = await self.redis.xinfo_groups("soak")
        return group["pending"] == 0 and group["lag"] == 0

    def ran(self) -> list[int]:
        """Return which tasks ran."""
        path = self.place / "ran"
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line) for line in lines if int(line) != NUDGE]

    async def refused(self) -> dict[str, set[bytes]]:
        """Return which tasks were refused for which reason."""
        found: dict[str, set[bytes]] = {}
        for one in await brine.taskiq.refused(self.broker):
            found.setdefault(one.reason, set()).add(one.content)
        return found


@pytest.mark.time_limit(120 + COUNT)
def test_workers_that_are_killed_and_a_server_that_is_restarted(
    tmp_path: Path, signing: dict[str, Any]
) -> None:
    data = tmp_path / "redis"
    data.mkdir()

    async def play(soak: Soak) -> None:
        await soak.broker.startup()
        for number in range(COUNT):
            await soak.note.kiq(number)
        values = [fields[b"data"] for _, fields in await soak.redis.xrange("soak")]
        altered = [value[:-1] + bytes([value[-1] ^ 1]) for value in values[::10]]
        for value in altered:
            await soak.redis.xadd("soak", {"data": value})
        kills = COUNT // 50
        for kill in range(kills):
            with soak.at_work():
                await soak.until(
                    awaitable(lambda so_many=30 * (kill + 1): len(soak.ran()) >= so_many)
                )
            # Some versions of the broker lock what dead workers had, and a dead worker never unlocks it.
            await soak.redis.delete("autoclaim:taskiq:soak")
            if kill == kills // 2:
                await soak.redis.aclose(close_connection_pool=True)
                await soak.broker.connection_pool.disconnect()
                soak.server.stop()
                soak.server.start()
        with soak.at_work():
            await soak.until(soak.is_empty)
        ran = soak.ran()
        assert set(ran) == set(range(COUNT))
        # A worker that is killed can have done ten tasks at most without a note in the ledger.
        assert len(ran) <= COUNT + 10 * kills
        # What is given out again while it waits or runs, or after it was done, is refused as well.
        assert set(await soak.refused()) <= {"signature-bad", "replayed"}
        assert (await soak.refused())["signature-bad"] == set(altered)
        for value in values:
            await soak.redis.xadd("soak", {"data": value})
        with soak.at_work():
            await soak.until(soak.is_empty)
        assert soak.ran() == ran
        assert (await soak.refused())["replayed"] >= set(values)
        print(
            f"{COUNT} tasks, {len(ran)} runs, {kills} workers killed, the server restarted; "
            f"{COUNT // 10} altered and {COUNT} copied ones refused and kept"
        )
        await soak.redis.aclose()
        await soak.broker.shutdown()

    with server("redis", data) as running:
        asyncio.run(play(Soak(tmp_path, signing, running)))


def awaitable(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    """Return a condition that can be awaited."""

    async def asked() -> bool:
        return condition()

    return asked
