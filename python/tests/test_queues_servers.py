"""Queues on servers: what holds of one in a file holds there, and what becomes of servers that go away."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

import brine
from conftest import in_child, wait_until
from programs import PROJECT, run
from server_kit import Server, Start, free_port, refuse_missing, server

KINDS = ("redis", "nats", "amqp")


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, servers: Callable[[str], Server]) -> str:
    """Return the URL of a queue that is not there yet."""
    return servers(request.param).url(f"orders-{secrets.token_hex(4)}")


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


@pytest.mark.time_limit(150)
def test_objects_go_through_and_come_again(url: str, alice: brine.Key, trust: brine.Trust) -> None:
    with open_queue(url, alice, trust) as queue:
        for value in ({"a": [1, 2.5, None]}, b"bytes"):
            queue.put(value)
            with queue.get(timeout=20) as message:
                assert message.value == value
                assert (message.signer, message.attempt) == ("alice", 1)
        queue.put("again")
        queue.get(timeout=20).retry(0)
        message = queue.get(timeout=20)
        assert (message.value, message.attempt) == ("again", 2)
        message.ack()
        with pytest.raises(brine.UsageError, match="settled before"):
            message.ack()
        with pytest.raises(Empty):
            queue.get(timeout=0.2)


@pytest.mark.time_limit(150)
def test_a_copy_counts_once(url: str, alice: brine.Key, trust: brine.Trust) -> None:
    queue = open_queue(url, alice, trust)
    queue.put("once")
    with queue.get(timeout=20) as message:
        envelope = message._message.content
    # Whoever can write to the server can put it there again.
    brine._brine.Queue(url).publish([envelope])
    with pytest.raises(Empty):
        queue.get(timeout=1)


@pytest.mark.time_limit(150)
def test_a_failing_handler_is_tried_again_and_then_its_message_is_dead(
    url: str, home: Path, alice: brine.Key, trust: brine.Trust, refused: list[str]
) -> None:
    queue = open_queue(url, alice, trust, refused, attempts=2)
    queue.put("bad")
    for attempt in (1, 2):
        with pytest.raises(ZeroDivisionError), queue.get(timeout=20) as message:
            assert message.attempt == attempt
            raise ZeroDivisionError("no such luck")
    brine._brine.Queue(url).publish([b"noise"])
    with pytest.raises(Empty):
        queue.get(timeout=1)
    assert refused == ["not-an-envelope"]
    letters = {letter["reason"]: letter for letter in dead(url, home)}
    assert set(letters) == {"handler-failed", "not-an-envelope"}
    assert letters["handler-failed"]["standing"] == "verified"
    assert letters["handler-failed"]["detail"] == "ZeroDivisionError: no such luck"
    assert letters["not-an-envelope"]["standing"] == "anybody"


@pytest.mark.time_limit(150)
def test_the_programs_read_and_write_the_same_queue(url: str, home: Path) -> None:
    queue = brine.queue(url)
    queue.put(b"from Python")
    assert run("brine", "recv", "--wait", "20s", url) == b"from Python"
    run("brine", "send", url, data=b"from a program")
    with queue.get(timeout=20) as message:
        assert message.value == b"from a program"


@pytest.mark.time_limit(150)
def test_a_lease_is_renewed_while_the_handler_runs(
    url: str, alice: brine.Key, trust: brine.Trust
) -> None:
    queue = open_queue(url, alice, trust, lease="1s")
    queue.put("slow")
    with queue.get(timeout=20) as message:
        with pytest.raises(Empty):
            open_queue(url, alice, trust, lease="1s").get(timeout=3)
        assert message.renew()


@pytest.mark.time_limit(150)
def test_a_fork_shares_the_queue_and_not_its_messages(
    url: str, alice: brine.Key, trust: brine.Trust
) -> None:
    queue = open_queue(url, alice, trust)
    queue.put("of the parent")
    message = queue.get(timeout=20)

    def child() -> None:
        with pytest.raises(brine.UsageError, match="belongs to the process"):
            message.ack()
        queue.put("of the child")

    waiting = threading.Thread(target=lambda: queue.get(timeout=20).ack())
    waiting.start()
    assert in_child(child) == 0
    waiting.join()
    message.ack()
    with pytest.raises(Empty):
        queue.get(timeout=0.2)


WAITS = """
import sys, brine
key = brine.Key.generate()
queue = brine.queue(sys.argv[1], key=key, trust=brine.Trust.of({"me": key.public}))
print("open", flush=True)
try:
    if sys.argv[2] == "get":
        queue.get()
    while True:
        queue.put("more")
except KeyboardInterrupt:
    print("interrupted")
"""


def interrupted(url: str, call: str, between: Callable[[], None]) -> float:
    """Interrupt a call that waits, and return how long it went on."""
    command = [sys.executable, "-c", WAITS, url, call]
    waiting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "open\n"
    between()
    time.sleep(1)
    begun = time.monotonic()
    waiting.send_signal(signal.SIGINT)
    assert waiting.communicate(timeout=20)[0] == "interrupted\n"
    return time.monotonic() - begun


@pytest.mark.time_limit(150)
def test_a_ctrl_c_ends_the_waiting(url: str) -> None:
    assert interrupted(url, "get", lambda: None) < 5


@pytest.mark.parametrize("kind", ["redis", "nats"])
def test_a_server_that_goes_away_is_waited_for(
    kind: str, tmp_path: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    with server(kind, tmp_path) as one:
        url = one.url("orders")
        queue = open_queue(url, alice, trust)
        queue.put("held")
        held = queue.get(timeout=20)
        one.stop()
        # Each says how long it waits, and what it waits for.
        with pytest.raises(brine.InputOutputError) as raised:
            queue.get(timeout=1)
        assert raised.value.reason == "queue-connection"
        # What has no end is heard to be interrupted.
        one.start()
        with pytest.raises(Empty):
            queue.get(timeout=3)
        assert interrupted(url, "put", one.stop) < 5
        putting = threading.Thread(target=queue.put, args=["put while it was away"], daemon=True)
        acking = threading.Thread(target=held.ack, daemon=True)
        for thread in (putting, acking):
            thread.start()
        time.sleep(1)
        assert putting.is_alive()
        assert acking.is_alive()
        one.start()
        putting.join(20)
        acking.join(20)
        assert held.is_settled
        values = []
        while "put while it was away" not in values:
            with queue.get(timeout=20) as message:
                values.append(message.value)
        assert "held" not in values


@pytest.mark.time_limit(150)
def test_rabbitmq_goes_away_and_comes_back(
    servers: Callable[[str], Server], alice: brine.Key, trust: brine.Trust
) -> None:
    one = servers("amqp")
    queue = open_queue(one.url("patient"), alice, trust)
    queue.put("kept")
    # RabbitMQ 3.10 knows no more of a quorum queue that was made in the seconds before it is killed.
    time.sleep(5)
    one.stop()
    with pytest.raises(brine.InputOutputError) as raised:
        queue.get(timeout=1)
    assert raised.value.reason == "queue-connection"
    putting = threading.Thread(target=queue.put, args=["put while it was away"], daemon=True)
    putting.start()
    one.start()
    putting.join(40)
    values = set()
    while len(values) < 2:
        with queue.get(timeout=40) as message:
            values.add(message.value)
    assert values == {"kept", "put while it was away"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_not_there_is_said_at_once(kind: str, tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(brine.InputOutputError) as raised:
        brine.queue(f"{kind}://127.0.0.1:{free_port()}?queue=orders")
    assert raised.value.reason == "queue-connection"
    assert time.monotonic() - begun < 10
    with pytest.raises(brine.InputOutputError) as raised:
        brine.Executor(
            f"{kind}://127.0.0.1:{free_port()}?queue=work",
            key=brine.Key.generate(),
            trust=brine.Trust.of({"me": brine.Key.generate().public}),
        )
    assert raised.value.reason == "queue-connection"


PASSWORD = "correct-horse"


@pytest.mark.parametrize("kind", ["redis", "nats"])
def test_a_wrong_password_is_said_and_not_shown(
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    alice: brine.Key,
    trust: brine.Trust,
) -> None:
    user = "alice@" if kind == "nats" else ""
    with server(kind, tmp_path, PASSWORD) as one:
        url = one.url("orders", user=user)
        monkeypatch.setenv("BRINE_QUEUE_PASSWORD", "wrong-battery")
        with pytest.raises(brine.InputOutputError) as raised:
            brine.queue(url)
        assert raised.value.reason == "queue-access"
        assert "wrong-battery" not in f"{raised.value!r} {raised.value}"
        monkeypatch.setenv("BRINE_QUEUE_PASSWORD", PASSWORD)
        queue = open_queue(url, alice, trust)
        queue.put(1)
        monkeypatch.delenv("BRINE_QUEUE_PASSWORD")
        file = tmp_path / "password"
        file.touch(mode=0o600)
        file.write_text(PASSWORD + "\n")
        other = open_queue(one.url("orders", f"&password-file={file}", user), alice, trust)
        assert other.get(timeout=20).value == 1
        wire = other._queue
        assert PASSWORD not in f"{other!r} {wire!r} {queue!r} {queue._queue!r}"


@pytest.mark.time_limit(150)
def test_rabbitmq_refuses_a_wrong_password(
    servers: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRINE_QUEUE_PASSWORD", "wrong-battery")
    with pytest.raises(brine.InputOutputError) as raised:
        brine.queue(servers("amqp").url("orders", user="guest@"))
    assert raised.value.reason == "queue-access"
    assert "wrong-battery" not in f"{raised.value!r} {raised.value}"


def test_a_password_has_no_place_in_a_url() -> None:
    with pytest.raises(brine.UsageError, match="password") as raised:
        brine.queue("redis://alice:battery@127.0.0.1?queue=orders")
    assert "battery" not in str(raised.value)


def test_a_server_is_spoken_to_by_tls_if_its_certificate_is_vouched_for(
    tmp_path: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    refuse_missing("redis")
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    about = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    about += ["-addext", "basicConstraints=CA:FALSE", "-keyout", "key", "-out", "certificate"]
    command = [*request.split(), *about]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    port = free_port()
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    tls = ["--tls-port", str(port), "--port", "0", "--tls-auth-clients", "no"]
    tls += ["--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    with Server("redis", Start(tmp_path, port, more=tuple(tls))):
        url = f"rediss://127.0.0.1:{port}?queue=orders"
        with pytest.raises(brine.InputOutputError, match="certificate") as raised:
            brine.queue(url)
        assert raised.value.reason == "queue-connection"
        queue = open_queue(f"{url}&ca={certificate}", alice, trust)
        queue.put("over TLS")
        assert queue.get(timeout=20).value == "over TLS"


@pytest.mark.time_limit(150)
def test_who_takes_from_rabbitmq_names_a_file(
    servers: Callable[[str], Server], alice: brine.Key, trust: brine.Trust
) -> None:
    one = servers("amqp")
    whole = one.url("no-file")
    bare = whole.partition("&once-per-host")[0]
    queue = open_queue(bare, alice, trust)
    queue.put("no ledger is needed for this")
    with pytest.raises(brine.UnsupportedError, match="once-per-host") as raised:
        queue.get(timeout=5)
    assert raised.value.reason == "queue-unsuitable"
    # It was not taken.
    message = open_queue(whole, alice, trust).get(timeout=20)
    assert (message.value, message.attempt) == ("no ledger is needed for this", 1)


def test_a_server_that_drops_messages_is_refused(tmp_path: Path) -> None:
    with server("redis", tmp_path) as one:
        command = ["redis-cli", "-p", str(one.start_of.port), "config", "set"]
        for setting in (["maxmemory", "100mb"], ["maxmemory-policy", "allkeys-lru"]):
            subprocess.run([*command, *setting], check=True, capture_output=True)
        with pytest.raises(brine.UnsupportedError) as raised:
            brine.queue(one.url("orders"))
    assert raised.value.reason == "queue-unsuitable"


def test_the_example_of_the_page_runs(servers: Callable[[str], Server], home: Path) -> None:
    page = (PROJECT / "docs/python/queues.md").read_text()
    (example,) = re.findall(r"```python\n(orders = brine.queue\(f.*?)```", page, re.DOTALL)
    assert "orders.get(" in example
    given = {"brine": brine, "host": "127.0.0.1", "port": servers("nats").start_of.port}
    exec(compile(example, "queues.md", "exec"), given)  # noqa: S102


def test_threads_share_a_queue_on_a_server(
    servers: Callable[[str], Server], alice: brine.Key, trust: brine.Trust
) -> None:
    queue = open_queue(servers("nats").url("threads"), alice, trust)
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
    for number in [*range(30), None, None, None]:
        queue.put(number)
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(30))
    wait_until(lambda: not queue._keeper._is_at_work, seconds=20)
