"""Results of taskiq in Redis, signed: they come back, and no other stands for one."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path
from typing import Any

import pytest

import brine

taskiq = pytest.importorskip("taskiq")
pytest.importorskip("taskiq_redis")


import brine.taskiq
from conftest import trust_for
from taskiq_kit import Evil, Store, store

pytest_plugins = ("taskiq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_results_in_redis(url: str, signing: dict[str, Any]) -> None:
    async def play() -> None:
        async with store(url, signing) as shop:
            one, wrong = await shop.add.kiq(1, 2), await shop.wrong.kiq()
            await shop.work()
            assert (await one.wait_result(timeout=5)).return_value == 3
            with pytest.raises(ValueError, match="this is wrong"):
                (await wrong.wait_result(timeout=5)).raise_for_error()
            progress = taskiq.depends.progress_tracker.TaskProgress(state="half", meta=50)
            await shop.broker.result_backend.set_progress("x", progress)
            assert await shop.broker.result_backend.get_progress("x") == progress

    asyncio.run(play())


def test_results_of_another_task_and_of_nobody(
    url: str, signing: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def exchange(shop: Store) -> Any:
        one, other = await shop.add.kiq(1), await shop.add.kiq(100)
        await shop.work()
        await shop.redis.set(one.task_id, await shop.redis.get(other.task_id))
        return one

    async def play() -> None:
        async with store(url, None) as shop:
            one = await exchange(shop)
            assert (await one.get_result()).return_value == 100
            await shop.redis.set(one.task_id, pickle.dumps(Evil()))
            with pytest.raises(taskiq.exceptions.ResultGetError):
                await one.get_result()
            assert Path("ran").exists()
        Path("ran").unlink()
        async with store(url, signing) as shop:
            one = await exchange(shop)
            for content, reason in (
                (None, "signature-bad"),
                (pickle.dumps(Evil()), "not-an-envelope"),
            ):
                if content is not None:
                    await shop.redis.set(one.task_id, content)
                with pytest.raises(taskiq.exceptions.ResultGetError) as caught:
                    await one.get_result()
                assert isinstance(caught.value.__cause__, brine.Error)
                assert caught.value.__cause__.reason == reason
            assert not Path("ran").exists()

    asyncio.run(play())


def test_who_sends_tasks_is_not_believed_about_results(
    url: str, signing: dict[str, Any], alice: brine.Key, mallory: brine.Key
) -> None:
    trust = trust_for(
        ("producer", alice, ["taskiq:shop"]),
        ("worker", mallory, ["taskiq:shop", "taskiq:shop:results"]),
    )

    async def play() -> None:
        given = {**signing, "trust": trust}
        async with store(url, given) as producer, store(url, {**given, "key": mallory}) as worker:
            sent = await producer.add.kiq(1)
            await worker.work()
            result = await sent.get_result()
            assert result.return_value == 1
            # The producer makes a result itself.
            await producer.broker.result_backend.set_result(sent.task_id, result)
            with pytest.raises(taskiq.exceptions.ResultGetError) as caught:
                await sent.get_result()
            assert isinstance(caught.value.__cause__, brine.UntrustedError)
            assert caught.value.__cause__.reason == "context-not-allowed"

    asyncio.run(play())
