"""Dramatiq with signed messages does what it does without."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("dramatiq")

import dramatiq
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import SkipMessage
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends import StubBackend as StubLimits
from dramatiq.results import ResultFailure, Results

import brine
import brine.dramatiq
from conftest import wait_until
from dramatiq_kit import BROKERS, Shop, about, broker_of, signing, with_results

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def signed(alice: brine.Key, trust: brine.Trust, seen: Path) -> Callable[..., Shop]:
    """Signs a broker in the name of alice."""
    return signing(key=alice, trust=trust, replay_db=seen)


@pytest.fixture(params=BROKERS)
def shop(
    request: pytest.FixtureRequest,
    servers: Callable[[str], Any],
    signed: Callable[..., Shop],
) -> Shop:
    """A shop on each broker."""
    return signed(broker_of(request.param, servers), f"shop-{secrets.token_hex(4)}")


def test_tasks_run_and_results_come_back(shop: Shop) -> None:
    with shop.at_work():
        assert shop.result(shop.add.send(1, b=2)) == 3
        failed = shop.add.send("text", 1)
        with pytest.raises(ResultFailure, match="can only concatenate"):
            shop.result(failed)
        wait_until(lambda: shop.left() == 0)
    assert shop.ran == [(1, 2, "alice"), ("text", 1, "alice")]
    assert shop.reasons() == []


def test_retries_delays_pipelines_groups_and_callbacks(shop: Shop) -> None:
    with shop.at_work():
        assert shop.result(shop.flaky.send()) == "at last"
        assert [name for name, _ in shop.ran] == ["flaky"] * 3
        assert shop.result(shop.add.send_with_options(args=(1, 1), delay=50)) == 2
        steps = [shop.add.message(1, 1), shop.add.message(10), shop.add.message(100)]
        chain = dramatiq.pipeline(steps, broker=shop.broker).run()
        assert list(chain.get_results(block=True, timeout=20_000)) == [2, 12, 112]
        late = shop.add.message_with_options(args=(5,), delay=50)
        chain = dramatiq.pipeline([shop.add.message(1, 1), late], broker=shop.broker).run()
        assert chain.get_result(block=True, timeout=20_000) == 7
        many = dramatiq.group([shop.add.message(n, n) for n in range(4)], broker=shop.broker).run()
        assert list(many.get_results(block=True, timeout=20_000)) == [0, 2, 4, 6]
        shop.add.send_with_options(args=(1, 1), on_success=shop.note)
        wait_until(lambda: ("add", 2) in shop.done)
        shop.add.send_with_options(args=(1, "text"), on_failure=shop.note)
        wait_until(lambda: len(shop.done) == 2)
        assert shop.done[1][1]["type"] == "TypeError"
        wait_until(lambda: shop.left() == 0)
    assert shop.reasons() == []


def test_groups_call_back_when_all_is_done(shop: Shop) -> None:
    limits = StubLimits()
    shop.broker.add_middleware(dramatiq.middleware.GroupCallbacks(limits))
    many = dramatiq.group([shop.add.message(n, n) for n in range(3)], broker=shop.broker)
    many.add_completion_callback(shop.note.message("all"))
    many.run()
    with shop.at_work():
        wait_until(lambda: shop.done == [("all", None)])
    assert sorted(a for a, _, _ in shop.ran) == [0, 1, 2]


def test_rate_limits_age_limits_and_time_limits(shop: Shop) -> None:
    limiter = ConcurrentRateLimiter(StubLimits(), "one", limit=1)
    most: list[int] = []
    named = {"broker": shop.broker, "queue_name": shop.queue}

    @dramatiq.actor(**named, min_backoff=1, max_backoff=5, max_retries=None)
    def alone() -> None:
        with limiter.acquire():
            most.append(1)

    @dramatiq.actor(**named, time_limit=100, max_retries=0, store_results=True)
    def endless() -> None:
        while True:
            time.sleep(0.01)

    # The processes of Dramatiq say so; the time limit begins with it.
    shop.broker.emit_after("process_boot")
    for _ in range(5):
        alone.send()
    old = shop.add.message(1, 1)._replace(message_timestamp=1)
    shop.broker.enqueue(old.copy(options={"max_age": 1000}))
    with shop.at_work(4):
        wait_until(lambda: len(most) == 5)
        with pytest.raises(ResultFailure, match="TimeLimitExceeded"):
            shop.result(endless.send())
        # Dramatiq stores a failure for what is too old.
        with pytest.raises(ResultFailure, match="age limit"):
            shop.result(old)
    assert shop.ran == []
    assert shop.reasons() == []


def test_what_waits_for_its_time_goes_on_in_its_envelope(
    shop: Shop, alice: brine.Key, mallory: brine.Key, seen: Path
) -> None:
    keys = {"alice": alice.public, "worker": mallory.public}
    signatures = shop.broker._brine.of(shop.queue)
    signatures._trust = brine.Trust.of(keys)
    shop.add.send_with_options(args=(1, 2), delay=100)
    # The worker has a key of its own.
    signatures.keys = brine.Signer(mallory, context=signatures.context).keys
    with shop.at_work():
        wait_until(lambda: len(shop.ran) == 1)
        wait_until(lambda: shop.left() == 0)
        shop.add.send(3, 4)
        wait_until(lambda: len(shop.ran) == 2)
    assert shop.ran == [(1, 2, "alice"), (3, 4, "worker")]
    # Copies are none the better for the wait.
    message = shop.add.send_with_options(args=(5, 6), delay=100)
    data = shop.queued(is_delayed=True)
    shop.put(data, is_delayed=True)
    shop.work(ran=3)
    for count, is_delayed in enumerate((True, False), 1):
        shop.put(data, is_delayed=is_delayed)
        shop.work(refused=count)
    assert shop.result(message) == 11
    assert shop.ran[2:] == [(5, 6, "worker")]
    assert shop.reasons() == ["replayed"] * 2
    wait_until(lambda: shop.left() == 0)


class Traces(dramatiq.Middleware):
    """Writes into the options of each message that is sent."""

    def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
        message.options["trace"] = secrets.token_hex(4)


class Another(dramatiq.Middleware):
    """Tries to send another message in the place of one that waits, and one anew that is skipped."""

    def before_delay_message(self, broker: Any, message: Any) -> None:
        with pytest.raises(brine.UsageError, match="not sent anew"):
            broker.enqueue(message.copy(args=(10, 10), queue_name=message.queue_name[:-3]))

    def after_skip_message(self, broker: Any, message: Any) -> None:
        # That of the delay queue could only go on as it is.
        message = message.copy(options={"retries": 1}, kwargs={"b": 2})
        with pytest.raises(brine.UsageError, match="not sent anew"):
            broker.enqueue(message)


@pytest.mark.parametrize("middleware", [Traces, Another])
def test_copies_of_one_that_waits_are_none_the_better_for_middleware(
    shop: Shop, middleware: type[dramatiq.Middleware], caplog: pytest.LogCaptureFixture
) -> None:
    shop.broker.add_middleware(middleware())
    shop.add.send_with_options(args=(1, 2), delay=100)
    data = shop.queued(is_delayed=True)
    for times in range(3):
        shop.put(data, is_delayed=True)
        with shop.at_work():
            wait_until(lambda: len(shop.ran) == 1)
            wait_until(lambda times=times: len(shop.reasons()) >= times)
            wait_until(lambda: shop.left() == 0)
    assert len(shop.ran) == 1
    assert set(shop.reasons()) == {"replayed"}
    assert not [one for one in caplog.records if one.levelname == "CRITICAL"]


def test_a_delayed_message_that_is_moved_runs_no_earlier(shop: Shop) -> None:
    message = shop.add.send_with_options(args=(1, 2), delay=700)
    due = message.options["eta"]
    shop.put(shop.queued(is_delayed=True))
    with shop.at_work():
        shop.result(shop.add.send(3, 4))
        assert shop.result(message) == 3
        assert time.time() * 1000 >= due
        wait_until(lambda: shop.left() == 0)
    assert (shop.ran, shop.reasons()) == ([(3, 4, "alice"), (1, 2, "alice")], [])


def test_one_whose_signer_was_revoked_while_it_waited_is_refused(
    shop: Shop, mallory: brine.Key
) -> None:
    shop.add.send_with_options(args=(1, 2), delay=300)
    queue = shop.broker._brine.of(shop.queue)
    with shop.at_work() as worker:
        delayed = worker.consumers[f"{shop.queue}.DQ"]
        wait_until(lambda: delayed.delay_queue.qsize() == 1)
        queue._trust = brine.Trust.of({"worker": mallory.public})
        queue._judge, queue._ledgers = None, {}
        wait_until(lambda: len(shop.reasons()) == 1)
    assert (shop.ran, shop.reasons()) == ([], ["unknown-signer"])


SHOP = """
import dramatiq, sys
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends.redis import RedisBackend
import brine, brine.dramatiq

broker = brine.dramatiq.sign(
    RedisBroker(host="127.0.0.1", port={port}, namespace="command"), expires="1d", replay_db="{seen}"
)
backend = RedisBackend(client=broker.client, namespace="command-results")
broker.add_middleware(Results(backend=backend))
dramatiq.set_broker(broker)

@dramatiq.actor(store_results=True)
def add(a, b):
    return a + b

if __name__ == "__main__":
    results = [add.send(number, 1) for number in range(20)]
    assert [one.get_result(block=True) for one in results] == list(range(1, 21))
    assert brine.dramatiq.refused(broker) == []
"""


def test_the_command_of_dramatiq_with_several_processes(
    tmp_path: Path, home: Path, seen: Path, servers: Callable[[str], Any]
) -> None:
    pytest.importorskip("redis")
    port = servers("redis").start_of.port
    (tmp_path / "shop.py").write_text(SHOP.format(port=port, seen=seen))
    environment = {**os.environ, "BRINE_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    given: dict[str, Any] = {"cwd": tmp_path, "env": environment}
    command = [sys.executable, "-m", "dramatiq", "shop", "--processes", "2", "--threads", "2"]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, stdout=log, stderr=log, **given)
    try:
        subprocess.run([sys.executable, "shop.py"], check=True, timeout=50, **given)
    finally:
        worker.terminate()
        status = worker.wait(30)
    assert (status, "Traceback" in (tmp_path / "log").read_text()) == (0, False)


def test_messages_wait_for_a_ledger(
    tmp_path: Path,
    seen: Path,
    alice: brine.Key,
    trust: brine.Trust,
    caplog: pytest.LogCaptureFixture,
) -> None:
    later = tmp_path / "later"
    shop = signing(key=alice, trust=trust, replay_db=later)()
    shop.add.send(1)
    with shop.at_work():
        wait_until(lambda: "messages of dramatiq:shop wait: " in caplog.text)
        assert (shop.ran, shop.reasons()) == ([], [])
        seen.rename(later)
        wait_until(lambda: shop.ran == [(1, 0, "alice")])
    assert shop.reasons() == []


def test_what_was_taken_before_the_broker_was_signed_does_not_run(
    alice: brine.Key, trust: brine.Trust, seen: Path
) -> None:
    broker = with_results(StubBroker())
    shop = Shop(broker)
    consumer = broker.consume("shop")
    shop.add.send(1)
    message = next(consumer)
    brine.dramatiq.sign(broker, key=alice, trust=trust, expires="1d", replay_db=seen)
    with pytest.raises(SkipMessage, match="nobody has verified it"):
        broker.emit_before("process_message", message)
    assert message.failed


class Audit(dramatiq.Middleware):
    """Sends a message by another broker for each that is sent."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def before_enqueue(self, broker: Any, message: Any, delay: Any) -> None:
        if message.actor_name == "add":
            self.shop.note.send(message.args[0])

    after_enqueue = before_enqueue


def test_two_brokers_in_one_process(signed: Callable[..., Shop]) -> None:
    plain, one, other = Shop(with_results(StubBroker())), signed(), signed(queue="other")
    one.broker.add_middleware(Audit(plain))
    for shop in (plain, one, other):
        shop.add.send(1)
    assert plain.queued().startswith(b"{")
    plain.add.send(1)
    dramatiq.set_encoder(dramatiq.JSONEncoder())
    one.add.send(2)
    for shop, ran in ((plain, [1]), (one, [1, 2]), (other, [1])):
        shop.work(ran=len(ran))
        assert sorted(a for a, _, _ in shop.ran) == ran
    assert one.reasons() == other.reasons() == []
    assert sorted(told for told, _ in plain.done if told != "end") == [1, 1, 2, 2]


def test_results_that_come_later_and_twice(
    alice: brine.Key, trust: brine.Trust, seen: Path
) -> None:
    given = {"key": alice, "trust": trust, "expires": "1d", "replay_db": seen}
    shop = Shop(with_results(brine.dramatiq.sign(StubBroker(), **given)))
    with shop.at_work():
        message = shop.add.send(1, 2)
        assert shop.result(message) == 3
    (data, _), *_ = shop.backend.results.values()
    verifier = brine.Verifier(trust, context="dramatiq:shop:results", aad=about(message))
    assert brine.loads(data, verifier=verifier) == 3
    with pytest.raises(brine.UsageError, match="signed already"):
        shop.broker.add_middleware(Results(backend=shop.backend))


def test_what_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, signed: Callable[..., Shop]
) -> None:
    with pytest.raises(brine.UsageError, match="expected a broker"):
        brine.dramatiq.sign(object(), expires="1d", replay_db="x")
    with pytest.raises(brine.UsageError, match="expected a length of time"):
        signed(expires=5)
    shop = signed()
    with pytest.raises(brine.UsageError, match="it is signed already"):
        signed(shop.broker)
    with pytest.raises(brine.UsageError, match="expected a signed broker"):
        brine.dramatiq.refused(StubBroker())
    with pytest.raises(brine.UnsupportedError, match="Broker is not known here") as caught:
        signed(dramatiq.Broker())
    assert caught.value.reason == "framework-broker"
    monkeypatch.setattr("dramatiq.__version__", "3.0.0")
    with pytest.raises(brine.UnsupportedError, match=r"Dramatiq 3\.0\.0 is not known here"):
        signed()


def test_a_copy_waits_until_it_is_known_whether_the_task_was_done(shop: Shop) -> None:
    go, begun = threading.Event(), threading.Event()

    @dramatiq.actor(broker=shop.broker, queue_name=shop.queue, store_results=True)
    def slow() -> str:
        shop.ran.append("slow")
        begun.set()
        assert go.wait(20)
        return "done"

    message = slow.send()
    data = shop.queued()
    shop.put(data)
    with shop.at_work():
        assert begun.wait(20)
        shop.put(data)
        # Others are done meanwhile.
        assert shop.result(shop.add.send(1, 2)) == 3
        # Redis has it already, in the same place.
        assert shop.reasons() == (["task-place"] if shop.kind == "redis" else [])
        go.set()
        expected = ["task-place" if shop.kind == "redis" else "replayed"]
        wait_until(lambda: shop.reasons() == expected)
        wait_until(lambda: shop.left() == 0)
    assert shop.ran == ["slow", (1, 2, "alice")]
    # The refusal is not the result.
    assert shop.result(message) == "done"
