"""What of a job of arq is under the signature, what is not, and what a trusted signer cannot send."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import brine

pytest.importorskip("arq")

from arq.constants import abort_jobs_ss, in_progress_key_prefix
from arq.jobs import JobStatus

import brine.arq
from arq_kit import JOB, Scene, Shop, Shops

pytest_plugins = ("arq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


WRONG: list[tuple[Any, str]] = [
    (7, "task-form"),
    ({**JOB, "f": 7}, "task-form"),
    ({**JOB, "a": 7}, "task-form"),
    ({**JOB, "k": []}, "task-form"),
    ({**JOB, "k": {7: 7}}, "task-form"),
    ({**JOB, "t": "1"}, "task-form"),
    ({**JOB, "t": -1}, "task-form"),
    ({**JOB, "t": 2**64}, "task-form"),
    ({**JOB, "et": None}, "task-form"),
    ({**JOB, "et": 2**60}, "task-form"),
    ({**JOB, "eta": "now"}, "task-form"),
    ({**JOB, "id": None}, "task-moved"),
    ({key: value for key, value in JOB.items() if key != "id"}, "task-moved"),
]
"""What a trusted signer can sign, and is no job."""


@pytest.mark.parametrize("at", range(len(WRONG)))
def test_what_a_trusted_signer_sends_and_is_no_job_ends_no_worker(
    at: int, scene: Scene, alice: brine.Key
) -> None:
    content, reason = WRONG[at]

    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        signer = brine.Signer(alice, context="arq:shop", expires="1h", aad=b"task")
        await shop.put("x", brine.dumps(content, signer=signer))
        await shop.pool.enqueue_job("add", 1)
        await shop.work()
        assert (len(shop.ran), await shop.reasons()) == (1, [reason])

    scene(play)


def test_the_job_of_these_tests_is_one(scene: Scene, alice: brine.Key) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        signer = brine.Signer(alice, context="arq:shop", expires="1h", aad=b"task")
        await shop.put("x", brine.dumps(JOB, signer=signer))
        await shop.work()
        assert (len(shop.ran), await shop.reasons()) == (1, [])

    scene(play)


FIELDS = {
    "f": "delete_user",
    "a": (99,),
    "k": {"b": 99},
    "t": 99,
    "et": 99,
    "id": "other",
    "eta": 99,
}
"""Another value for each field of a job."""


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_a_job_is_under_the_signature(field: str, scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        job = await shop.pool.enqueue_job("add", 1)
        value = await shop.taken(job.job_id)
        opened = shop.pool.signatures.open(value, b"task")
        assert set(opened.content) == set(FIELDS)
        inner = opened.verified.payload
        other = pickle.dumps({**opened.content, field: FIELDS[field]}, 5)
        assert other != inner
        # As long as the other, so that nothing else is wrong.
        forged = value.replace(inner, other[: len(inner)].ljust(len(inner), b"."))
        assert len(forged) == len(value)
        await shop.put(job.job_id, forged)
        await shop.work()
        assert (shop.ran, shop.deleted) == ([], [])
        assert await shop.reasons() == ["signature-bad"]

    scene(play)


async def is_aborted(shop: Shop, job: Any) -> bool:
    await shop.raw.zadd(abort_jobs_ss, {job.job_id: 1})
    await shop.work(allow_abort_jobs=True)
    return shop.ran == []


async def is_deferred(shop: Shop, job: Any) -> bool:
    await shop.raw.zadd(shop.queue, {job.job_id: 2**43})
    await shop.work(max_burst_jobs=0)
    return await job.status() is JobStatus.deferred


async def is_held_up(shop: Shop, job: Any) -> bool:
    await shop.raw.set(in_progress_key_prefix + job.job_id, b"1")
    await shop.work(max_burst_jobs=0)
    return await job.status() is JobStatus.in_progress


async def has_no_tries_left(shop: Shop, job: Any) -> bool:
    await shop.raw.set(f"arq:retry:{job.job_id}", 99)
    await shop.work()
    return shop.ran == []


async def is_gone(shop: Shop, job: Any) -> bool:
    await shop.taken(job.job_id)
    await shop.work()
    return shop.ran == []


UNSIGNED = {
    "arq:abort": is_aborted,
    "arq:in-progress:": is_held_up,
    "arq:retry:": has_no_tries_left,
    "later": is_deferred,
    "is there at all": is_gone,
}
"""What no signature is about, and what it does."""


@pytest.mark.parametrize("what", UNSIGNED)
def test_what_is_not_under_the_signature(what: str, scene: Scene) -> None:
    async def play(shops: Shops) -> None:
        shop = await shops.signed()
        job = await shop.pool.enqueue_job("add", 1)
        assert await UNSIGNED[what](shop, job)
        assert await shop.reasons() == []

    scene(play)


def test_the_page_says_what_is_signed_and_what_is_not() -> None:
    page = (Path(__file__).parent.parent.parent / "docs/python/arq.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")]
    signed = " ".join(row[1] for row in rows if row[2].strip().startswith("yes"))
    unsigned = " ".join(row[1] for row in rows if row[2].strip().startswith("no"))
    for field in FIELDS:
        assert f"`{field}`" in signed, field
    for what in UNSIGNED:
        assert what in unsigned, what
