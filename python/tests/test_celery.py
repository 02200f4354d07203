"""Celery with signed tasks: what it does otherwise, it does as before."""

from __future__ import annotations

import datetime
import secrets
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

import brine

pytest.importorskip("celery")

from celery import Celery, chain, chord, group
from celery.result import GroupResult
from celery.signals import task_received
from kombu import Exchange, Queue

import brine.celery
from celery_kit import Shop
from conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore")
pytest_plugins = ("celery_fixtures",)


@pytest.fixture(params=["redis", "amqp"])
def plain(request: pytest.FixtureRequest, servers: Callable[[str], Any]) -> Celery:
    """An app that signs nothing, on each broker."""
    store = servers("redis").start_of.port
    if request.param == "redis":
        return Celery(
            "shop", broker=f"redis://127.0.0.1:{store}/1", backend=f"redis://127.0.0.1:{store}/2"
        )
    port = servers("amqp").start_of.port
    return Celery("shop", broker=f"amqp://guest:guest@127.0.0.1:{port}//", backend="rpc://")


@pytest.fixture
def shop(plain: Celery, options: dict[str, Any]) -> Iterator[Shop]:
    """A signed shop, with a queue of its own."""
    plain.conf.task_default_queue = f"celery-{secrets.token_hex(4)}"
    made = Shop(brine.celery.sign(plain, **options))
    yield made
    assert [
        one for one in brine.celery.refused(made.app) if one.place == plain.conf.task_default_queue
    ] == []


def test_tasks_chains_groups_chords_retries_errors_and_schedules(shop: Shop) -> None:
    add = shop.add
    with shop.at_work():
        assert add.delay(1, b=2).get(timeout=60) == 3
        assert shop.ran == [(1, 2, "alice")]
        assert chain(add.s(1, 1), add.s(10), add.s(100))().get(timeout=60) == 112
        assert group([add.s(n, n) for n in range(4)])().get(timeout=60) == [0, 2, 4, 6]
        if not shop.app.conf.result_backend.startswith("rpc"):
            assert chord([add.s(n, n) for n in range(4)], shop.total.s())().get(timeout=60) == 12
        assert shop.flaky.delay().get(timeout=60) == "at last"
        with pytest.raises(ValueError, match="it is broken"):
            shop.broken.delay().get(timeout=60)
        shop.broken.apply_async(link_error=shop.note_error.s())
        wait_until(lambda: "it is broken" in shop.ran)
        before = time.time()
        assert add.apply_async((1, 1), countdown=1).get(timeout=60) == 2
        assert time.time() - before >= 1
        soon = datetime.datetime.now() + datetime.timedelta(seconds=0.5)
        assert add.apply_async((2, 2), eta=soon).get(timeout=60) == 4
        late = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
        with pytest.raises(Exception, match="expired"):
            add.apply_async((1, 1), expires=late).get(timeout=60)
        assert shop.app.send_task("add", (3, 4)).get(timeout=60) == 7


def test_commands_are_answered_and_obeyed(shop: Shop) -> None:
    with shop.at_work(hostname="one@here") as worker:
        wait_until(lambda: shop.app.control.ping(timeout=0.5) == [{"one@here": {"ok": "pong"}}])
        stats = shop.app.control.inspect(timeout=1).stats()
        assert stats["one@here"]["pool"]["implementation"].endswith("solo:TaskPool")
        later = shop.add.apply_async((1, 1), countdown=2)
        shop.app.control.revoke(later.id)
        wait_until(lambda: later.id in worker.state.revoked)
        with pytest.raises(Exception, match="revoked"):
            later.get(timeout=60)
        assert shop.ran == []


def test_results_of_groups_are_found_again(shop: Shop) -> None:
    if shop.app.conf.result_backend.startswith("rpc"):
        pytest.skip("rpc:// keeps no groups")
    with shop.at_work():
        made = group([shop.add.s(n, n) for n in range(3)])()
        made.save()
        assert made.get(timeout=60) == [0, 2, 4]
        assert GroupResult.restore(made.id, app=shop.app).get(timeout=60) == [0, 2, 4]


def test_pickles_name_what_is_on_the_list(plain: Celery, options: dict[str, Any]) -> None:
    plain.conf.update(
        task_serializer="pickle", result_serializer="pickle", accept_content=["pickle", "json"]
    )
    plain.conf.task_default_queue = queue = f"celery-{secrets.token_hex(4)}"
    shop = Shop(brine.celery.sign(plain, **options))
    with shop.at_work():
        assert shop.add.delay({1, 2}.union, 0) is not None
        assert chain(shop.add.s(1, 1), shop.add.s(10))().get(timeout=60) == 12
        shop.ran.clear()
        day, length = datetime.date(2026, 1, 1), datetime.timedelta(1)
        assert shop.add.delay(day, length).get(timeout=60) == datetime.date(2026, 1, 2)
        shop.add.delay(subprocess.Popen, 0)
        wait_until(
            lambda: len([one for one in brine.celery.refused(plain) if one.place == queue]) == 2
        )
    assert len(shop.ran) == 1
    reasons = {one.reason for one in brine.celery.refused(plain) if one.place == queue}
    assert reasons == {"call-not-allowed", "import-not-allowed"}


def test_what_waits_for_its_time_is_judged_when_it_comes(
    plain: Celery, options: dict[str, Any], alice: brine.Key
) -> None:
    plain.conf.task_default_queue = queue = f"celery-{secrets.token_hex(4)}"
    shop = Shop(brine.celery.sign(plain, **options))
    received: list[Any] = []
    task_received.connect(
        lambda request, **_: received.append(request), weak=False, dispatch_uid=queue
    )
    with shop.at_work() as worker:
        shop.add.apply_async((1, 2), countdown=1)
        wait_until(lambda: bool(received))
        for signatures in plain._brine._tasks.values():
            signatures._trust = brine.Trust.of({"somebody": brine.Key.generate().public})
            signatures._judge, signatures._ledgers = None, {}
        wait_until(lambda: [one.place for one in brine.celery.refused(plain)].count(queue) == 1)
        assert not worker.state.requests
    assert shop.ran == []
    assert brine.celery.refused(plain)[-1].reason == "unknown-signer"


def test_tasks_for_a_named_exchange(plain: Celery, options: dict[str, Any]) -> None:

    name = f"media-{secrets.token_hex(4)}"
    exchange = Exchange(name, type="topic")
    queue = Queue(f"{name}-all", exchange, routing_key="media.#")
    plain.conf.update(
        task_queues=[queue], task_default_queue=queue.name, task_default_exchange=name
    )
    plain.conf.update(task_default_exchange_type="topic", task_default_routing_key="media.any")
    shop = Shop(brine.celery.sign(plain, **options))
    with shop.at_work():
        assert (
            shop.add.apply_async((1, 2), exchange=name, routing_key="media.video").get(timeout=60)
            == 3
        )
        assert shop.add.delay(3, 4).get(timeout=60) == 7


def test_what_is_configured_after_signing_holds(
    options: dict[str, Any], servers: Callable[[str], Any]
) -> None:
    port = servers("redis").start_of.port
    app = brine.celery.sign(Celery("shop"), **options)
    app.config_from_object(
        {
            "broker_url": f"redis://127.0.0.1:{port}/5",
            "result_backend": f"redis://127.0.0.1:{port}/6",
            "task_default_queue": "configured",
        }
    )
    shop = Shop(app)
    with shop.at_work():
        assert shop.add.delay(1, 2).get(timeout=60) == 3
    assert shop.ran == [(1, 2, "alice")]


@pytest.mark.parametrize("queue", ["celery", "other"])
def test_attacks_over_rabbitmq(
    queue: str, options: dict[str, Any], servers: Callable[[str], Any]
) -> None:
    """The same message relabelled, twice, in another queue, and junk."""
    port = servers("amqp").start_of.port
    app = brine.celery.sign(
        Celery("shop", broker=f"amqp://guest:guest@127.0.0.1:{port}//"), **options
    )
    app.conf.task_default_queue = name = f"{queue}-{secrets.token_hex(4)}"
    shop = Shop(app)
    shop.add.apply_async((7,), queue=f"{name}-sent")
    with app.connection() as connection:
        sent = Queue(f"{name}-sent")(connection.default_channel)
        message = sent.get(no_ack=True)
        publish = connection.Producer().publish
        told = {"content_type": "application/cose", "content_encoding": "binary"}
        target = name if queue == "other" else f"{name}-sent"
        Queue(target)(connection.default_channel).queue_declare()
        for body, headers in (
            (message.body, {**message.headers, "task": "delete_user"}),
            (message.body, message.headers),
            (message.body, message.headers),
            (b"junk", message.headers),
            (b"junk", {}),
            (b"junk", {"task": 7, "compression": "application/x-gzip"}),
        ):
            publish(body, routing_key=target, headers=headers, **told)
    app.amqp.queues.select_add(target)

    def reasons() -> list[str]:
        return [one.reason for one in brine.celery.refused(app) if one.place == target]

    with shop.at_work():
        wait_until(lambda: len(reasons()) == (6 if queue == "other" else 5), 60)
    refused = "context-mismatch" if queue == "other" else "replayed"
    more = [refused] if queue == "other" else []
    assert sorted(reasons()) == sorted(
        ["context-mismatch", refused, *more, "not-an-envelope", "task-form", "task-form"]
    )
    assert (len(shop.ran), shop.deleted) == (0 if queue == "other" else 1, [])
