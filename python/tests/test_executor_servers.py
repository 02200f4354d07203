"""Functions that travel over servers: on one machine, and between network namespaces."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import brine
import executor_kit
import server_kit
from conftest import wait_until
from executor_kit import Site, wait_for_text
from executor_places import refuse_without_namespaces
from server_kit import Server

PROJECT = Path(__file__).parent.parent.parent

FUNCTIONS = 30


@pytest.fixture(params=["redis", "nats"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Have a server."""
    executor_kit.refuse_uninstalled()
    data = tmp_path / "server"
    data.mkdir()
    with server_kit.server(request.param, data) as server:
        yield server


@pytest.mark.time_limit(120)
def test_functions_run_over_a_server(server: Server, tmp_path: Path) -> None:
    site = Site(tmp_path, server.url("work"))
    offset = 10
    with site.at_work("--jobs", "2"):
        with site.executor() as executor:
            values = list(executor.map(lambda number: number + offset, range(FUNCTIONS)))
            error = executor.submit(divmod, 1, 0).exception()
            assert site.has_answers_of(executor)
        assert not site.has_answers_of(executor)
    assert values == [number + offset for number in range(FUNCTIONS)]
    assert isinstance(error, brine.RemoteError)
    assert error.type == "ZeroDivisionError"
    assert site.dead() == []


@pytest.mark.time_limit(120)
def test_a_job_is_taken_back_until_it_is_begun(server: Server, tmp_path: Path) -> None:
    site = Site(tmp_path, server.url("work"))
    executor = site.executor()
    first, second = executor.submit(time.sleep, 2), executor.submit(abs, -1)
    assert second.cancel()
    with site.at_work():
        assert first.result() is None
        executor.shutdown()
    assert second.cancelled()
    assert site.log.read_text().count("ended well") == 1
    assert not site.has_answers_of(executor)


@pytest.mark.time_limit(180)
def test_functions_outlast_a_server_that_goes_away(server: Server, tmp_path: Path) -> None:
    site = Site(tmp_path, server.url("work"))

    def slowly(number: int) -> int:
        time.sleep(0.2)
        return number

    # What was lost on its way from the server comes again after a lease, which is a minute on NATS, where the longest holds.
    with (
        site.at_work("--jobs", "2", "--lease", "5s"),
        site.executor(timeout="100s") as executor,
    ):
        futures = [executor.submit(slowly, number) for number in range(FUNCTIONS)]
        wait_for_text(site.log, "ended well")
        server.stop()
        time.sleep(1)
        server.start()
        futures.append(executor.submit(abs, -1))
        ends = [future.exception() for future in futures]
        # One whose worker did not hear that it may begin is run by nobody.
        interrupted = [end for end in ends if end is not None]
        assert all(isinstance(end, brine.JobInterruptedError) for end in interrupted)
        assert len(interrupted) <= 2
        assert futures[-1].result() == 1
        server.stop()
        server.start()
    # What was connected before is connected again, and leaves nothing.
    assert not site.has_answers_of(executor)


@pytest.mark.time_limit(60)
def test_a_shutdown_does_not_wait_for_a_server(server: Server, tmp_path: Path) -> None:
    site = Site(tmp_path, server.url("work"))
    executor = site.executor(timeout="7s")
    future = executor.submit(abs, -1)
    server.stop()
    begun = time.monotonic()
    with pytest.raises(brine.InputOutputError) as raised:
        future.cancel()
    assert raised.value.reason == "queue-connection"
    executor.shutdown(wait=False, cancel_futures=True)
    assert time.monotonic() - begun < 6
    error = future.exception()
    assert isinstance(error, brine.NoAnswerError)
    executor.shutdown()
    assert time.monotonic() - begun < 25
    wait_until(lambda: not executor._exchange._thread.is_alive())  # type: ignore[union-attr]


@pytest.mark.time_limit(150)
def test_rabbitmq_carries_functions_too(servers: Callable[[str], Server], tmp_path: Path) -> None:
    executor_kit.refuse_uninstalled()
    url = servers("amqp").url("work")
    bare = url.partition("&once-per-host")[0]
    # Who only sends jobs and takes their results needs no ledger. The worker does, and takes no job that is older.
    site = Site(tmp_path, bare, worker_url=url)
    brine._brine.Queue(url)
    with site.at_work("--jobs", "2"):
        with site.executor() as executor:
            assert list(executor.map(abs, range(-10, 0))) == list(range(10, 0, -1))
            assert site.has_answers_of(executor)
        assert not site.has_answers_of(executor)


@pytest.mark.parametrize("kind", ["redis", "nats"])
@pytest.mark.time_limit(300)
def test_caller_and_worker_in_namespaces_of_their_own(kind: str) -> None:
    executor_kit.refuse_uninstalled()
    server_kit.refuse_missing(kind)
    refuse_without_namespaces()
    done = subprocess.run(
        [str(PROJECT / "scripts/soak-executor"), "--over", kind, "--namespaces", "100"],
        check=False,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "fine: value" in done.stdout
