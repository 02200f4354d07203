"""Each field and each byte of a job of RQ: what of it is under the signature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import brine

rq = pytest.importorskip("rq")

from rq import Callback, Repeat, Retry

import brine.rq
import rq_kit
from brine._rq_signatures import STATE
from rq_kit import ATTEMPTS, Shop, stored

pytest_plugins = ("rq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def whole_job(one: Shop) -> Any:
    """Enqueue a job that has all that a job can have, and waits for another one that is done."""
    parent = one.queue.enqueue(rq_kit.add, 0)
    one.work()
    one.connection.delete("ran")
    back = Callback(rq_kit.called_back, timeout=10)
    given: dict[str, Any] = {
        "on_success": back,
        "on_failure": back,
        "on_stopped": back,
        "retry": Retry(max=2, interval=[1, 2]),
        "repeat": Repeat(times=2, interval=60),
        "depends_on": rq.job.Dependency(jobs=[parent], allow_failure=True, enqueue_at_front=True),
        "job_timeout": 60,
        "result_ttl": 60,
        "failure_ttl": 60,
        "ttl": 600,
        "description": "all",
        "meta": {"by": "alice"},
    }
    webhook = getattr(rq, "Webhook", None)
    if webhook is not None:
        given["webhooks"] = [webhook("http://127.0.0.1:1/", "finished")]
    return one.queue.enqueue(rq_kit.add, 1, **given)


OTHERS: dict[str, Any] = {
    "created_at": "2001-01-01T00:00:00.000000Z",
    "dependency_ids": json.dumps(["other"]),
    "webhooks": json.dumps([{"url": "http://127.0.0.1:2/", "job_status": "finished"}]),
    "retry_intervals": json.dumps([0]),
    "repeat_intervals": json.dumps([0]),
    "origin": "other",
    "group_id": "other",
    "dependency_id": "other",
    "description": "other",
    "success_callback_name": "rq_kit.delete_user",
    "failure_callback_name": "rq_kit.delete_user",
    "stopped_callback_name": "rq_kit.delete_user",
    "rate_limit_key": "other",
}
"""Another value for each field that is no number."""


MORE = (
    "number_of_retries",
    "enqueue_at_front_on_retry",
    "rate_limit_key",
    "rate_limit_concurrency",
)
"""Fields that this job does not have, and that a job can have."""


def fields_of(one: Shop) -> list[str]:
    """Return the fields that a job can have in this version."""
    made = rq.job.Job("any", connection=one.connection)
    more = {name for name in MORE if hasattr(made, name)}
    return sorted({*stored(one, whole_job(one)), *more, "a_field_of_tomorrow"})


def test_every_field_is_under_the_signature(connection: Any, shop: Shop) -> None:
    names = fields_of(shop)
    told = []
    for name in names:
        if name in {*STATE, "data", "meta"}:
            continue
        connection.flushall()
        job = whole_job(shop)
        shop.forge(job, **{name: OTHERS.get(name, 99)})
        shop.work()
        assert shop.ran == [], name
        (one,) = brine.rq.refused(connection)
        told.append(name)
        if name == "origin":
            assert one.reason == "context-mismatch"
        else:
            assert (one.reason, one.message) == (
                "task-altered",
                f"{name!r} is not what was signed",
            )
        # Another one that is left out.
        connection.flushall()
        job = whole_job(shop)
        if name in stored(shop, job) and name != "origin":
            connection.hdel(job.key, name)
            shop.work()
            assert (shop.ran, shop.reasons()) == ([], ["task-altered"]), name
    assert len(told) >= 20


def test_a_plain_job_takes_any_value_of_a_field(connection: Any) -> None:
    plain = Shop(connection, ATTEMPTS["hmac"]())
    for name in fields_of(plain):
        if name in {*STATE, "data", "meta", "a_field_of_tomorrow"}:
            continue
        job = whole_job(plain)
        plain.forge(job, **{name: OTHERS.get(name, 99)})
        found = rq.job.Job.fetch(job.id, connection=connection, serializer=rq_kit.HmacSerializer)
        changed = found.to_dict().get(name)
        if name != "dependency_id":
            assert str(changed) == str(OTHERS.get(name, 99)) or name in {
                "enqueue_at_front",
                "allow_dependency_failures",
                "enqueue_at_front_on_retry",
                "webhooks",
            }, name


def test_the_page_says_which_fields_there_are(shop: Shop) -> None:
    page = (Path(__file__).parent.parent.parent / "docs/python/rq.md").read_text()
    signed_rows = "\n".join(line for line in page.splitlines() if line.endswith("| yes |"))
    other_rows = "\n".join(line for line in page.splitlines() if "| no" in line)
    for name in fields_of(shop):
        if name in STATE:
            assert f"`{name}`" in other_rows, name
        elif name not in {"data", "meta", "a_field_of_tomorrow"}:
            assert f"`{name}`" in signed_rows, name


def test_every_byte_of_a_job_is_under_the_signature(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.add, 1)
    data = stored(shop, job)["data"]
    at_work = shop.worker().job_class
    for at in range(len(data)):
        shop.forge(job, data=data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], status="queued")
        assert at_work.fetch_many([job.id], shop.connection) == [None], at
    assert "task-form" not in shop.reasons()
