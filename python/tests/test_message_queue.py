"""Queues of signed messages: what goes through, what is refused, and what becomes of messages that fail."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

import brine
from conftest import in_child, wait_until, warned_of
from programs import run


@dataclass
class Order:
    """What a list has to name."""

    number: int


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the URL of a queue that is not there yet."""
    return f"sqlite:{tmp_path}/jobs.db?queue=orders"


@pytest.fixture
def refused() -> list[str]:
    """Return the reasons for which messages were refused."""
    return []


def open_queue(
    url: str, key: brine.Key, trust: brine.Trust, refused: list[str] | None = None, **given: Any
) -> brine.MessageQueue:
    """Open a queue whose refusals are listed."""
    reasons = [] if refused is None else refused
    return brine.queue(
        url, key=key, trust=trust, on_refused=lambda error, _: reasons.append(error.reason), **given
    )


def dead(url: str, home: Path) -> list[dict[str, Any]]:
    """List the dead letters of a queue, as the program does."""
    lines = run("brine", "dead", "list", "--json", url, home=home)
    return [json.loads(line) for line in lines.splitlines()]


def test_what_stays_queued_is_told_once(url: str, alice: brine.Key, trust: brine.Trust) -> None:
    signer = brine.Signer(alice, context="orders", not_before="1h", expires="2h")
    with open_queue(url, alice, trust) as queue:
        brine._brine.Queue(url).publish([signer.sign(b"later"), signer.sign(b"later, too")])
        with warned_of("stays queued, and is looked at again later") as warned:
            for _ in range(2):
                with pytest.raises(Empty):
                    queue.get(timeout=0.2)
        assert len(warned) == 1


def test_objects_go_through(url: str, alice: brine.Key, trust: brine.Trust) -> None:
    with open_queue(url, alice, trust) as queue:
        assert queue.name == queue.context == "orders"
        for value in ({"a": [1, 2.5, None]}, b"bytes", "text", (1, 2), b""):
            queue.put(value)
            with queue.get() as message:
                assert message.value == value
                assert type(message.value) is type(value)
                assert (message.signer, message.attempt) == ("alice", 1)
                assert not message.is_settled
            assert message.is_settled
        with pytest.raises(Empty):
            queue.get(timeout=0)


def test_messages_come_in_order_to_one_consumer_each(
    url: str, alice: brine.Key, trust: brine.Trust
) -> None:
    queue, other = open_queue(url, alice, trust), open_queue(url, alice, trust)
    for number in range(3):
        queue.put(number)
    first, second = queue.get(), other.get()
    assert (first.value, second.value) == (0, 1)
    first.retry(0)
    assert queue.get(timeout=0).value == 0
    assert queue.get(timeout=0).value == 2
    second.ack()
    with pytest.raises(brine.UsageError, match="settled before"):
        second.ack()


def test_a_copy_counts_once(url: str, alice: brine.Key, trust: brine.Trust) -> None:
    queue = open_queue(url, alice, trust)
    queue.put("once")
    with queue.get() as message:
        envelope = message._message.content
    # Whoever can write to the queue can put it there again.
    brine._brine.Queue(url).publish([envelope])
    with pytest.raises(Empty):
        queue.get(timeout=0.3)


def test_the_programs_read_and_write_the_same_queue(url: str, home: Path) -> None:
    queue = brine.queue(url)
    queue.put(b"from Python")
    assert run("brine", "recv", url) == b"from Python"
    run("brine", "send", url, data=b"from a program")
    assert queue.get(timeout=0).value == b"from a program"


def test_what_is_refused_becomes_a_dead_letter_with_its_reason(
    url: str, home: Path, alice: brine.Key, mallory: brine.Key, refused: list[str]
) -> None:
    queue = open_queue(url, alice, brine.Trust.of({"alice": alice.public}), refused)
    wire = brine._brine.Queue(url)
    good = brine.Signer(alice, context="orders", content_type="application/x-python-pickle")
    tampered = bytearray(good.sign_record(pickle.dumps("x")))
    tampered[-1] ^= 1
    sent = {
        "signature-bad": bytes(tampered),
        "unknown-signer": brine.Signer(mallory, context="orders").sign_record(b"x"),
        "context-mismatch": brine.Signer(alice, context="others").sign_record(b"x"),
        "not-an-envelope": b"noise",
        "replay-expiry-missing": brine.Signer(alice, context="orders").sign(b"x"),
        "import-not-allowed": good.sign_record(pickle.dumps(Order(7))),
        "not-a-pickle": good.sign_record(b"no pickle"),
        "wrong-content-type": brine.Signer(
            alice,
            context="orders",
            content_type="application/x-python-cloudpickle; python=3.11",
        ).sign_record(b"x"),
        "wrong-kind": brine.Signer(alice, context="orders", expires="1h").sign_job(b"x")[0],
    }
    wire.publish(list(sent.values()))
    queue.put("after them")
    assert queue.get(timeout=5).value == "after them"
    letters = dead(url, home)
    assert [letter["reason"] for letter in letters] == refused
    assert len(refused) == len(sent)
    expected = list(sent)
    found = dict(zip(expected, refused, strict=True))
    assert {k: v for k, v in found.items() if k != v} == {}
    assert {letter["standing"] for letter in letters} == {"anybody"}


def test_a_list_lets_more_in(url: str, alice: brine.Key, trust: brine.Trust) -> None:
    line = f"{__name__}:Order"
    queue = open_queue(url, alice, trust, allow=["std", line])
    queue.put(Order(7))
    assert queue.get().value == Order(7)


def test_functions_travel_where_code_is_allowed(url: str, alice: brine.Key) -> None:
    pytest.importorskip("cloudpickle")
    coding = brine.Trust.of({"alice": alice.public}, contexts=["python-code/orders"])
    queue = open_queue(url, alice, coding, code=True)
    offset = 10
    queue.put(lambda number: number + offset)
    assert queue.context == "python-code/orders"
    assert queue.get().value(1) == 11


def test_a_consumer_that_lacks_cloudpickle_loses_no_message(
    url: str, alice: brine.Key, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cloudpickle")
    coding = brine.Trust.of({"alice": alice.public}, contexts=["python-code/orders"])
    queue = open_queue(url, alice, coding, code=True)
    queue.put(len)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "cloudpickle", None)
        with pytest.raises(brine.UnsupportedError) as raised:
            queue.get(timeout=5)
    assert raised.value.reason == "cloudpickle-missing"
    assert queue.get(timeout=5).value is len
    assert dead(url, home) == []


def test_code_takes_trust_in_particular(
    url: str, alice: brine.Key, trust: brine.Trust, refused: list[str]
) -> None:
    pytest.importorskip("cloudpickle")
    queue = open_queue(url, alice, trust, refused, code=True)
    queue.put(len)
    with pytest.raises(Empty):
        queue.get(timeout=0.2)
    assert refused == ["context-not-allowed"]


def test_a_failing_handler_is_tried_again_and_then_its_message_is_dead(
    url: str, home: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    queue = open_queue(url, alice, trust, attempts=2)
    queue.put("bad")
    begun = time.monotonic()
    for attempt in (1, 2):
        with pytest.raises(ZeroDivisionError), queue.get(timeout=10) as message:
            assert message.attempt == attempt
            raise ZeroDivisionError("no such luck")
    assert time.monotonic() - begun > 0.4
    (letter,) = dead(url, home)
    assert (letter["reason"], letter["standing"], letter["attempts"]) == (
        "handler-failed",
        "verified",
        2,
    )
    assert letter["detail"] == "ZeroDivisionError: no such luck"
    run("brine", "dead", "retry", "--all", url, home=home)
    assert queue.get(timeout=5).value == "bad"


def test_a_handler_refuses_a_message_for_good(
    url: str, home: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    queue = open_queue(url, alice, trust)
    queue.put("bad")
    queue.get().dead_letter("no such order")
    (letter,) = dead(url, home)
    assert (letter["reason"], letter["detail"]) == ("handler-refused", "no such order")


def test_what_nobody_settles_comes_again_and_is_dead_in_the_end(
    url: str, home: Path, alice: brine.Key, trust: brine.Trust, refused: list[str]
) -> None:
    queue = open_queue(url, alice, trust, refused, attempts=1, lease="1s")
    queue.put("deadly")
    assert in_child(lambda: queue.get() and None) == 0
    # The child is gone, and its lease runs out.
    with pytest.raises(Empty):
        queue.get(timeout=4)
    assert refused == ["attempts-exhausted"]
    assert [letter["standing"] for letter in dead(url, home)] == ["verified"]


def test_a_lease_is_renewed_while_the_handler_runs(
    url: str, alice: brine.Key, trust: brine.Trust
) -> None:
    queue = open_queue(url, alice, trust, lease="1s")
    other = open_queue(url, alice, trust, lease="1s")
    queue.put("slow")
    with queue.get(), pytest.raises(Empty):
        other.get(timeout=4)
    with pytest.raises(Empty):
        other.get(timeout=0)
    # The thread that does it ends, too.
    wait_until(lambda: not queue._keeper._is_at_work, seconds=5)


def test_a_lost_lease_is_said(url: str, alice: brine.Key, trust: brine.Trust) -> None:
    queue = open_queue(url, alice, trust, lease="1s")
    queue.put("slow")
    message = queue.get()
    queue._keeper._messages.clear()
    time.sleep(2.5)
    again = open_queue(url, alice, trust, lease="1s").get(timeout=5)
    with pytest.raises(brine.InputOutputError) as raised:
        message.ack()
    assert raised.value.reason == "queue-lease-lost"
    again.ack()


def test_what_expires_is_refused(
    url: str, alice: brine.Key, trust: brine.Trust, refused: list[str]
) -> None:
    queue = open_queue(url, alice, trust, refused)
    queue.put("good for long", expires=timedelta(hours=1))
    queue.put("numbered")
    assert [queue.get(timeout=1).value for _ in range(2)] == ["good for long", "numbered"]
    with pytest.raises(brine.UsageError):
        queue.put("never good", expires="2020-01-01T00:00Z")


def test_a_delay_keeps_a_message(url: str, alice: brine.Key, trust: brine.Trust) -> None:
    queue = open_queue(url, alice, trust)
    queue.put("later", delay=1)
    queue.put("now")
    assert queue.get(timeout=0).value == "now"
    with pytest.raises(Empty):
        queue.get(timeout=0)
    assert queue.get(timeout=10).value == "later"


def test_a_consumer_is_woken(url: str, alice: brine.Key, trust: brine.Trust) -> None:
    queue = open_queue(url, alice, trust)
    thread = threading.Timer(0.3, lambda: queue.put("at last"))
    thread.start()
    assert queue.get(timeout=20).value == "at last"
    thread.join()


def test_threads_share_a_queue(url: str, alice: brine.Key, trust: brine.Trust) -> None:
    queue = open_queue(url, alice, trust)
    found: list[int] = []

    def work() -> None:
        while True:
            with queue.get(timeout=30) as message:
                if message.value is None:
                    return
                found.append(message.value)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in [*range(60), None, None, None]:
        queue.put(number)
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(60))


def test_a_fork_shares_the_queue_and_not_its_messages(
    url: str, alice: brine.Key, trust: brine.Trust
) -> None:
    queue = open_queue(url, alice, trust)
    queue.put("of the parent")
    message = queue.get()

    def child() -> None:
        with pytest.raises(brine.UsageError, match="belongs to the process"):
            message.ack()
        with message:
            queue.put("of the child")

    waiting = threading.Thread(target=lambda: queue.get(timeout=20).ack())
    waiting.start()
    assert in_child(child) == 0
    waiting.join()
    message.ack()
    with pytest.raises(Empty):
        queue.get(timeout=0)


WAITS = """
import sys, brine
key = brine.Key.generate()
queue = brine.queue(sys.argv[1], trust=brine.Trust.of({"me": key.public}))
print("waiting", flush=True)
try:
    queue.get()
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_ctrl_c_ends_the_waiting(url: str) -> None:
    waiting = subprocess.Popen(
        [sys.executable, "-c", WAITS, url], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "waiting\n"
    time.sleep(0.3)
    begun = time.monotonic()
    waiting.send_signal(signal.SIGINT)
    assert waiting.communicate(timeout=20)[0] == "interrupted\n"
    assert time.monotonic() - begun < 2


def test_a_trust_file_that_cannot_be_read_loses_no_message(
    url: str, tmp_path: Path, alice: brine.Key, home: Path
) -> None:
    file = tmp_path / "trust.toml"
    text = f'[[signer]]\nname = "alice"\nkey = "{alice.public}"\n'
    file.write_text(text)
    file.chmod(0o644)
    queue = open_queue(url, alice, brine.Trust.load(file))
    queue.put("patient")
    file.write_text("no trust file")
    with pytest.raises(brine.KeyFileError):
        queue.get(timeout=1)
    file.write_text(text)
    assert queue.get(timeout=5).value == "patient"
    assert dead(url, home) == []


def test_where_nobody_could_be_believed_nothing_is_taken(
    url: str, alice: brine.Key, trust: brine.Trust, home: Path
) -> None:
    open_queue(url, alice, trust).put("patient")
    with pytest.raises(brine.KeyFileError, match="nobody is trusted") as raised:
        open_queue(url, alice, brine.Trust.of({})).get(timeout=1)
    assert raised.value.reason == "nobody-trusted"
    assert open_queue(url, alice, trust).get(timeout=5).value == "patient"
    assert dead(url, home) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"allow": ["std", 7]}, "allow"),
        ({"allow": "numpy", "code": True}, "no list holds for code"),
        ({"attempts": 0}, "attempts"),
        ({"lease": "never"}, "lease"),
        ({"url": "kafka:x"}, "not supported"),
        ({"context": "python-code/x"}, "is a context of code"),
        ({"context": "python-code/x", "code": True}, "is a context of code"),
        ({"context": "", "code": True}, "it is empty"),
    ],
)
def test_what_makes_no_sense_is_said(
    url: str, alice: brine.Key, trust: brine.Trust, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(brine.UsageError, match=words):
        brine.queue(**{"url": url, "key": alice, "trust": trust, **given})


def test_a_closed_queue_says_so(url: str, alice: brine.Key, trust: brine.Trust) -> None:
    with open_queue(url, alice, trust) as queue:
        queue.put("left")
        message = queue.get()
    with pytest.raises(ValueError, match="closed"):
        queue.put("more")
    with pytest.raises(ValueError, match="closed"):
        queue.get()
    message.ack()


def test_too_much_is_refused_before_it_is_sent(
    url: str, alice: brine.Key, trust: brine.Trust
) -> None:
    queue = open_queue(url, alice, trust)
    with pytest.raises(brine.UnsupportedError) as raised:
        queue.put(bytes(16 * 1024 * 1024))
    assert raised.value.reason == "too-large"
    with pytest.raises(Empty):
        queue.get(timeout=0)
