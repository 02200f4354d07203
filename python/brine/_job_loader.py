"""Runs one function in a job, as ``brine work --python`` starts it.

Standard input has the call, as `brine.Executor` signs it. Standard output gets one item of CBOR, which brine holds to that
form, signs, and sends back. What the function prints goes to standard error.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import Any, NoReturn

from brine import _code
from brine._brine import cbor_decode, cbor_encode
from brine._guest.raised import named, traced

VERSION = 1
"""The version of calls and answers."""

MAX_MESSAGE_CHARS = 16 * 1024
MAX_TRACEBACK_CHARS = 64 * 1024


def main() -> NoReturn:
    """Answer the call on standard input, and end at once: threads that the function left do not."""
    output = _aside()
    answer = _answer(sys.stdin.buffer.read())
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue
    _write(output, answer)
    os._exit(0)


def _aside() -> int:
    """Keep standard output for the answer. What the function writes there goes to standard error."""
    output = os.dup(1)
    os.dup2(2, 1)
    return output


def _write(output: int, answer: bytes) -> None:
    rest = memoryview(answer)
    while rest:
        rest = rest[os.write(output, rest) :]


def _answer(payload: bytes) -> bytes:
    """Call what is to be called, and return what is said of it."""
    try:
        call = _read(payload)
    except _Refusal as refusal:
        return _encoded({"refused": {"reason": refusal.reason, "message": refusal.message}})
    try:
        function, arguments, keywords = pickle.loads(call["call"])
        value = function(*arguments, **keywords)
    except BaseException as error:  # noqa: BLE001
        return _encoded({"error": _told(error)})
    try:
        return _returned(value, call["code"])
    except Exception as error:  # noqa: BLE001
        return _encoded({"error": _told(error)})


class _Refusal(Exception):
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def _read(payload: bytes) -> dict[str, Any]:
    """Read a call. It was signed for this worker, but perhaps not as a call, or for another Python."""
    try:
        call = cbor_decode(payload)
    except ValueError:
        call = None
    if not isinstance(call, dict) or "v" not in call:
        raise _Refusal("not-a-call", "the job is no Python function, as brine.Executor sends it")
    if call["v"] != VERSION:
        raise _Refusal(
            "call-version", f"the call is of version {call['v']}, and the worker knows {VERSION}"
        )
    if {name: type(value) for name, value in call.items()} != _MEMBERS:
        raise _Refusal("call-form", "the call does not have the members that it must have")
    if call["python"] != _code.PYTHON:
        raise _Refusal(
            "python-version",
            f"the function was sent by Python {call['python']}, and the worker has Python {_code.PYTHON}",
        )
    return call


_MEMBERS = {"v": int, "python": str, "code": bool, "call": bytes}


def _returned(value: object, code: bool) -> bytes:
    """Encode a value: as plain data, as a pickle, or as code if the caller takes that."""
    plain = cbor_encode({"v": VERSION, "value": value})
    if plain is not None:
        return plain
    try:
        data = pickle.dumps(value, 5)
    except Exception as error:
        if not code:
            raise TypeError(
                f"the result cannot be pickled: {error}; functions and classes of __main__ take code= in the caller"
            ) from error
        return _encoded({"code": _code.dumps(value, 5), "python": _code.PYTHON})
    return _encoded({"pickle": data})


def _told(error: BaseException) -> dict[str, str]:
    """Say what was raised. The first frame is this module's."""
    name, message = named(error, MAX_MESSAGE_CHARS)
    first = error.__traceback__.tb_next if error.__traceback__ else None
    return {
        "type": name,
        "message": message,
        "traceback": traced(error, first, MAX_TRACEBACK_CHARS),
    }


def _encoded(answer: dict[str, object]) -> bytes:
    encoded = cbor_encode({"v": VERSION, **answer})
    if encoded is None:
        raise OverflowError("the result is larger than 16 MiB")
    return encoded
