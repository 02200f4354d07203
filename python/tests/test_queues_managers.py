"""Managers whose messages are signed."""

from __future__ import annotations

import pickle
from multiprocessing import connection, managers
from typing import Any

import pytest

import brine
from brine import _managers


class Manager(managers.BaseManager):
    """A manager of dictionaries."""


Manager.register("dict", dict, managers.DictProxy)


@pytest.fixture
def serializer(alice: brine.Key, trust: brine.Trust) -> Any:
    """Register a serializer, and take it away again."""
    name = brine.register_manager_serializer("brine-test", key=alice, trust=trust)
    yield name
    del managers.listener_client[name]  # type: ignore[attr-defined]


def start(serializer: str) -> Any:
    import multiprocessing

    manager = Manager(serializer=serializer, ctx=multiprocessing.get_context("fork"))
    manager.start()
    return manager


def test_objects_in_a_manager_are_used_as_ever(serializer: str) -> None:
    with_manager: Any = start(serializer)
    with with_manager as manager:
        numbers = manager.dict()
        numbers["a"] = [1, 2]
        assert numbers.copy() == {"a": [1, 2]}
        with pytest.raises(KeyError, match="missing"):
            numbers["missing"]


@pytest.mark.filterwarnings("error")
def test_the_names_that_managers_need_are_no_reason_to_warn(serializer: str) -> None:
    here, there = brine.signed_pipe(allow=["multiprocessing.managers:Token"])
    there.send(managers.Token("dict", "address", "id"))  # type: ignore[attr-defined]
    assert here.recv().id == "id"
    with start(serializer) as manager:
        assert manager.dict().copy() == {}


def test_a_manager_loads_nothing_that_the_list_does_not_have(serializer: str) -> None:
    with start(serializer) as manager:
        numbers = manager.dict()
        with pytest.raises(managers.RemoteError, match="import-not-allowed|not on the list"):
            numbers["a"] = pickle.Pickler
        numbers["b"] = 2
        assert numbers.copy() == {"b": 2}


def test_a_client_with_the_authkey_and_without_a_key_is_refused(
    serializer: str, mallory: brine.Key
) -> None:
    with start(serializer) as manager:
        brine.register_manager_serializer(
            "brine-mallory", key=mallory, trust=brine.Trust.of({"m": mallory.public})
        )
        _, client = managers.listener_client["brine-mallory"]  # type: ignore[attr-defined]
        end = client(manager.address, authkey=bytes(manager._authkey))
        end.send((None, "shutdown", (), {}))
        with pytest.raises(brine.UntrustedError) as caught:
            end.recv()
        assert caught.value.reason == "unknown-signer"
        assert manager.dict().copy() == {}


def test_the_plain_manager_takes_a_client_that_knows_the_authkey() -> None:
    with start("pickle") as manager:
        end = connection.Client(manager.address, authkey=bytes(manager._authkey))
        end.send((None, "number_of_objects", (), {}))
        assert end.recv() == ("#RETURN", 0)


class Ends:
    """Two ends of a connection after a handshake, and what went over it."""

    def __init__(self, key: brine.Key, nonces: tuple[bytes, bytes], welcome: bool = True) -> None:
        trust = brine.Trust.of({"x": key.public})

        def codec(side: str, aad: bytes | None) -> Any:
            return _managers.MessageCodec(
                key=key,
                trust=trust,
                context=f"m/{side}",
                allow="std",
                code=False,
                expires=None,
                aad=aad,
            )

        self.plain_server, self.plain_client = connection.Pipe()
        signed = _managers.SignedManagerConnection
        self.server = signed(self.plain_server, codec, "server", "client")
        self.client = signed(self.plain_client, codec, "client", "server")
        self.server.send_bytes(nonces[0])
        self.client.recv_bytes()
        self.client.send_bytes(nonces[1])
        self.server.recv_bytes()
        if welcome:
            self.server.send_bytes(b"#WELCOME#")
            self.client.recv_bytes()
            self.client.send_bytes(b"#WELCOME#")
            self.server.recv_bytes()

    def captured(self, obj: object) -> bytes:
        """Let the client send, and take the message off the wire."""
        self.client.send(obj)
        message: bytes = self.plain_server.recv_bytes()
        return message

    def refusal(self) -> str:
        with pytest.raises(brine.Error) as caught:
            self.server.recv()
        return caught.value.reason


def test_a_message_of_another_connection_is_refused(alice: brine.Key) -> None:
    one, other = Ends(alice, (b"1", b"2")), Ends(alice, (b"1", b"3"))
    other.plain_client.send_bytes(one.captured("delete"))
    assert other.refusal() == "signature-bad"


def test_a_message_is_taken_once_and_in_its_turn(alice: brine.Key) -> None:
    ends = Ends(alice, (b"1", b"2"))
    first, second, third = (ends.captured(n) for n in range(3))
    ends.plain_client.send_bytes(first)
    ends.plain_client.send_bytes(first)
    assert ends.server.recv() == 0
    assert ends.refusal() == "replayed"
    ends.plain_client.send_bytes(third)
    assert ends.refusal() == "message-missing"
    ends.plain_client.send_bytes(second)
    assert ends.server.recv() == 1


def test_nothing_is_signed_or_loaded_before_both_ends_know_the_authkey(alice: brine.Key) -> None:
    ends = Ends(alice, (b"1", b"2"), welcome=False)
    with pytest.raises(brine.UntrustedError) as caught:
        ends.server.send("traceback")
    assert caught.value.reason == "handshake"
    assert ends.refusal() == "handshake"


def test_an_answer_is_no_request(alice: brine.Key) -> None:
    ends = Ends(alice, (b"1", b"2"))
    ends.server.send("mirror")
    ends.plain_client.send_bytes(ends.plain_client.recv_bytes())
    assert ends.refusal() == "context-mismatch"


def test_the_handshake_ends_with_the_first_message(alice: brine.Key) -> None:
    ends = Ends(alice, (b"1", b"2"))
    ends.client.send(1)
    with pytest.raises(brine.UnsupportedError):
        ends.client.send_bytes(b"more")


def test_a_name_that_no_key_has_is_refused_at_once(home: object) -> None:
    with pytest.raises(brine.KeyFileError):
        brine.register_manager_serializer("brine-none", key="nobody")
