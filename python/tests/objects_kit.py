"""What tests of objects share."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

import brine

if TYPE_CHECKING:
    from collections.abc import Iterator

E = TypeVar("E", bound=brine.Error)


@dataclass
class Order:
    """A class that is on no list."""

    number: int


@contextlib.contextmanager
def refusal(reason: str, kind: type[E]) -> Iterator[pytest.ExceptionInfo[E]]:
    """Demand that something is refused for this reason."""
    with pytest.raises(kind) as refused:
        yield refused
    assert refused.value.reason == reason, refused.value


def round_trip(key: brine.Key, value: object, *, protocol: int = 5, **how: Any) -> object:
    """Sign an object and load it again."""
    envelope = brine.dumps(value, key=key, protocol=protocol)
    return brine.loads(envelope, trust=brine.Trust.of({"alice": key.public}), **how)


def load_signed(key: brine.Key, data: bytes, **how: Any) -> object:
    """Sign a pickle that somebody made by hand, and load it."""
    envelope = brine.sign(data, key=key, content_type="application/x-python-pickle")
    return brine.loads(envelope, trust=brine.Trust.of({"alice": key.public}), **how)


def code_trust(key: brine.Key, *contexts: str) -> brine.Trust:
    """Trust alice for these contexts alone."""
    return brine.Trust.parse(
        f'[[signer]]\nname = "alice"\nkey = "{key.public}"\ncontexts = {json.dumps(contexts)}\n'
    )


def text(value: str) -> bytes:
    """Write a text as an opcode."""
    data = value.encode()
    return b"\x8c" + bytes([len(data)]) + data


def named(module: str, name: str) -> bytes:
    """Write an import as opcodes of protocol 4."""
    return text(module) + text(name) + b"\x93"


def call(module: str, name: str, *arguments: bytes) -> bytes:
    """Write a call as opcodes."""
    return named(module, name) + b"(" + b"".join(arguments) + b"tR"


def whole(*opcodes: bytes, protocol: int = 4) -> bytes:
    """Put a pickle together."""
    return b"\x80" + bytes([protocol]) + b"".join(opcodes) + b"."
