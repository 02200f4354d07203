"""What of a message of taskiq is under the signature, what is not, and what a trusted signer cannot send."""

from __future__ import annotations

import asyncio
import json
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine

taskiq = pytest.importorskip("taskiq")
pytest.importorskip("taskiq_redis")

from taskiq.message import TaskiqMessage

import brine.taskiq
from taskiq_kit import MESSAGE, Shop, plain

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ("taskiq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


WRONG: list[Any] = [
    7,
    {},
    {**MESSAGE, "task_name": 7},
    {**MESSAGE, "task_name": "no_such_task"},
    {**MESSAGE, "task_name": "brine:refused"},
    {**MESSAGE, "args": 7},
    {**MESSAGE, "labels": {"a": "text"}, "labels_types": {"a": 2}},
    {**MESSAGE, "labels": {"a": "text"}, "labels_types": {"a": 99}},
    {**MESSAGE, "labels": {"ack_type": "never"}},
]
"""What a trusted signer can sign, and is no task."""


def test_what_a_trusted_signer_sends_and_is_no_task_is_kept(
    signed: Callable[..., Shop], alice: brine.Key
) -> None:
    async def play(shop: Shop) -> None:
        signer = brine.Signer(alice, context="taskiq:shop", expires="1h", aad=b"task")
        for content in WRONG:
            await shop.put(brine.dumps(content, signer=signer))
        assert (shop.ran, await shop.reasons()) == ([], ["task-form"] * len(WRONG))
        await shop.put(brine.dumps(MESSAGE, signer=signer))
        assert (len(shop.ran), await shop.reasons()) == (1, ["task-form"] * len(WRONG))

    asyncio.run(play(signed()))


FIELDS = {
    "task_id": "other",
    "task_name": "delete_user",
    "labels": {"timeout": "1"},
    "labels_types": {"a": 1},
    "args": [99],
    "kwargs": {"b": 99},
}
"""Another value for each field of a message."""


@pytest.mark.parametrize("field", TaskiqMessage.model_fields)
def test_every_field_is_under_the_signature(field: str, signed: Callable[..., Shop]) -> None:
    async def play(other: Shop, shop: Shop) -> None:
        await other.add.kiq(1)
        changed = json.loads(other.sent.pop())
        read = other.broker.formatter.loads(json.dumps({**changed, field: FIELDS[field]}).encode())
        assert getattr(read, field) == FIELDS[field]
        await shop.add.kiq(1)
        message = shop.sent.pop()
        opened = shop.broker.signatures.open(message, b"task")
        inner = opened.verified.payload
        changed_inner = pickle.dumps({**opened.content, field: FIELDS[field]}, 5)
        assert changed_inner != inner
        # As long as the other, so that nothing else is wrong.
        forged = message.replace(inner, changed_inner[: len(inner)].ljust(len(inner), b"."))
        assert len(forged) == len(message)
        await shop.put(forged)
        assert (shop.ran, shop.deleted, await shop.reasons()) == ([], [], ["signature-bad"])

    asyncio.run(play(plain(), signed()))


def test_labels_beside_a_message_steer_the_broker_and_not_the_task(
    signed: Callable[..., Shop],
) -> None:
    async def play(shop: Shop) -> None:
        message = shop.broker.formatter.dumps(TaskiqMessage(**MESSAGE))
        copied = message.model_copy(update={"labels": {"signer": "root", "timeout": "0"}})
        await shop._kick(copied)
        assert (shop.ran, await shop.reasons()) == ([(1, 0, "alice")], [])

    asyncio.run(play(signed()))


def test_a_sender_does_not_say_who_signed(signed: Callable[..., Shop]) -> None:
    async def play(shop: Shop) -> None:
        await shop.add.kicker().with_labels(signer=7).kiq(1)
        await shop.work()
        assert (shop.ran, await shop.reasons()) == ([(1, 0, "alice")], [])

    asyncio.run(play(signed()))


def test_the_page_says_which_fields_there_are() -> None:
    page = (Path(__file__).parent.parent.parent / "docs/python/taskiq.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")]
    signed = " ".join(row[1] for row in rows if row[2].strip().startswith("yes"))
    for field in TaskiqMessage.model_fields:
        assert f"`{field}`" in signed, field
