"""Whatever has bytes can be signed and verified, and nobody can change them meanwhile."""

from __future__ import annotations

import array
import ctypes
import mmap
import sys
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import brine

ALICE = brine.Key.generate()
TRUST = brine.Trust.of({"alice": ALICE.public})
SIGNER = brine.Signer(ALICE)
VERIFIER = brine.Verifier(TRUST)


def is_context(text: str) -> bool:
    """Return whether all of a text can be seen, as it must be in a context."""
    try:
        brine.Signer(ALICE, context=text)
    except brine.UsageError:
        return False
    return True


CONTEXTS = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=100
).filter(is_context)

properties = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])


@properties
@given(st.binary(max_size=4096))
def test_any_bytes_come_back(data: bytes) -> None:
    assert VERIFIER.verify(SIGNER.sign(data)).payload == data


@properties
@given(st.binary(max_size=64), CONTEXTS, st.booleans(), st.binary(max_size=64))
def test_any_bytes_come_back_in_any_form(
    data: bytes, context: str, armor: bool, aad: bytes
) -> None:
    envelope = brine.sign(data, key=ALICE, context=context, armor=armor, aad=aad)
    verified = brine.verify(envelope, trust=TRUST, context=context, aad=aad)
    assert (verified.payload, verified.context) == (data, context)
    signature = brine.sign(data, key=ALICE, context=context, armor=armor, aad=aad, detached=True)
    verified = brine.verify(signature, data, trust=TRUST, context=context, aad=aad)
    assert (verified.payload, verified.is_detached) == (data, True)


@properties
@given(CONTEXTS, CONTEXTS)
def test_contexts_are_compared_to_the_byte(signed: str, asked: str) -> None:
    assume(signed != asked)
    with pytest.raises(brine.UntrustedError) as refused:
        brine.verify(brine.sign(b"", key=ALICE, context=signed), context=asked, trust=TRUST)
    assert refused.value.reason == "context-mismatch"


REASONS_OF_MUTATION = (brine.AlteredError, brine.UnsupportedError, brine.UntrustedError)


@pytest.mark.parametrize("form", ["single", "armored", "detached", "record"])
def test_no_single_mutation_of_an_envelope_verifies(form: str) -> None:
    data = b"pay 100 to alice"
    envelope = {
        "single": lambda: SIGNER.sign(data),
        "armored": lambda: SIGNER.sign(data, armor=True),
        "detached": lambda: SIGNER.sign(data, detached=True),
        "record": lambda: SIGNER.sign_record(data),
    }[form]()
    beside = data if form == "detached" else None
    assert VERIFIER.verify(envelope, beside).payload == data
    mutants = [envelope[:at] + envelope[at + 1 :] for at in range(len(envelope))]
    mutants += [envelope[:at] + b"\0" + envelope[at:] for at in range(len(envelope) + 1)]
    for at in range(len(envelope)):
        for bit in range(8):
            mutant = bytearray(envelope)
            mutant[at] ^= 1 << bit
            mutants.append(bytes(mutant))
    mutants = [mutant for mutant in mutants if not is_same_text(mutant, envelope, form)]
    verified = 0
    for mutant in mutants:
        try:
            VERIFIER.verify(mutant, beside)
        except REASONS_OF_MUTATION as refused:
            assert refused.reason, mutant
        else:
            verified += 1
    assert (verified, len(mutants) > 8 * len(envelope)) == (0, True)


def is_same_text(mutant: bytes, envelope: bytes, form: str) -> bool:
    """Return whether armored text is the same but for a line end at its end, which is not signed."""
    return form == "armored" and mutant.rstrip(b"\r\n") == envelope.rstrip(b"\r\n")


@pytest.mark.time_limit(240)
@properties
@given(st.data())
def test_what_was_mutated_many_times_is_refused(data: st.DataObject) -> None:
    envelope = SIGNER.sign(data.draw(st.binary(min_size=1, max_size=200)))
    mutant = bytearray(envelope)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(mutant) - 1))
        mutant[at : at + 1] = data.draw(st.binary(max_size=2))
        if not mutant:
            break
    assume(mutant != envelope)
    with pytest.raises(REASONS_OF_MUTATION):
        VERIFIER.verify(mutant)


@properties
@given(st.binary(max_size=300))
def test_bytes_that_nobody_signed_never_verify(data: bytes) -> None:
    with pytest.raises(REASONS_OF_MUTATION) as refused:
        VERIFIER.verify(data)
    assert isinstance(refused.value, brine.Error)


class Bytes(bytes):
    """Bytes that pretend to be others."""

    def __bytes__(self) -> bytes:
        return b"forged"

    def __getitem__(self, _index: object) -> int:  # type: ignore[override]
        return 0

    def __len__(self) -> int:
        return 0


class Points(ctypes.Structure):
    _fields_ = (("x", ctypes.c_int), ("y", ctypes.c_int))


def mapped(data: bytes) -> mmap.mmap:
    anonymous = mmap.mmap(-1, len(data))
    anonymous[:] = data
    return anonymous


GRID = np.arange(24, dtype="<i4").reshape(2, 3, 4)

BUFFERS = {
    "bytes": (b"abcdef", b"abcdef"),
    "empty bytes": (b"", b""),
    "a subclass of bytes": (Bytes(b"abcdef"), b"abcdef"),
    "bytearray": (bytearray(b"abcdef"), b"abcdef"),
    "empty bytearray": (bytearray(), b""),
    "memoryview": (memoryview(b"abcdef"), b"abcdef"),
    "part of a memoryview": (memoryview(b"abcdef")[1:3], b"bc"),
    "every second byte": (memoryview(b"abcdef")[::2], b"ace"),
    "backwards": (memoryview(b"abcdef")[::-1], b"fedcba"),
    "a memoryview of integers": (
        memoryview(array.array("i", [1, 2])),
        array.array("i", [1, 2]).tobytes(),
    ),
    "a memoryview of two dimensions": (memoryview(b"abcdef").cast("B", (2, 3)), b"abcdef"),
    "an array": (array.array("d", [0.5, -1.0]), array.array("d", [0.5, -1.0]).tobytes()),
    "a ctypes array": ((ctypes.c_ushort * 2)(1, 2), bytes((ctypes.c_ushort * 2)(1, 2))),
    "a ctypes structure": (Points(1, 2), bytes(Points(1, 2))),
    "a memory map": (mapped(b"abcdef"), b"abcdef"),
    "a numpy array": (GRID, GRID.tobytes()),
    "a numpy array in Fortran's order": (np.asfortranarray(GRID), GRID.tobytes()),
    "a numpy array with strides": (GRID[:, ::2, 1:], GRID[:, ::2, 1:].tobytes()),
    "a numpy scalar": (np.float64(0.5), np.float64(0.5).tobytes()),
    "a read-only numpy array": (np.frombuffer(b"abcdef", "u1"), b"abcdef"),
}


@pytest.mark.parametrize("name", BUFFERS)
def test_a_buffer_is_signed_as_its_bytes_in_order(name: str) -> None:
    buffer, expected = BUFFERS[name]
    assert VERIFIER.verify(SIGNER.sign(buffer)).payload == expected
    assert VERIFIER.verify(SIGNER.sign_record(buffer)).payload == expected
    [one, other] = SIGNER.sign_batch([buffer, buffer])
    assert VERIFIER.verify(one).payload == VERIFIER.verify(other).payload == expected
    signature = SIGNER.sign(buffer, detached=True)
    assert VERIFIER.verify(signature, buffer).payload == expected
    assert type(VERIFIER.verify(signature, buffer).payload) is bytes


@pytest.mark.parametrize("make", [bytearray, memoryview, Bytes, mapped, bytes])
def test_an_envelope_in_any_buffer_verifies(make: type) -> None:
    assert VERIFIER.verify(make(SIGNER.sign(b"abc"))).payload == b"abc"


@pytest.mark.parametrize("wrong", ["text", None, 7, 1.5, [1], object(), {"a": b""}, type])
def test_what_has_no_bytes_is_refused(wrong: object) -> None:
    calls = [
        lambda: SIGNER.sign(wrong),  # type: ignore[arg-type]
        lambda: SIGNER.sign_record(wrong),  # type: ignore[arg-type]
        lambda: SIGNER.sign_batch([b"", wrong]),  # type: ignore[list-item]
        lambda: VERIFIER.verify(wrong),  # type: ignore[arg-type]
    ]
    if wrong is not None:
        calls.append(lambda: VERIFIER.verify(SIGNER.sign(b"", detached=True), wrong))  # type: ignore[arg-type]
    for call in calls:
        with pytest.raises(TypeError, match="bytes"):
            call()


def test_text_is_told_to_be_encoded() -> None:
    with pytest.raises(TypeError, match="encode it first"):
        SIGNER.sign("text")  # type: ignore[arg-type]


def test_a_memoryview_that_was_released_is_refused() -> None:
    view = memoryview(b"abc")
    view.release()
    with pytest.raises((TypeError, ValueError), match="released|buffer"):
        SIGNER.sign(view)


def test_a_closed_memory_map_is_refused() -> None:
    closed = mapped(b"abc")
    closed.close()
    with pytest.raises((TypeError, ValueError)):
        SIGNER.sign(closed)


class Interrupted:
    """What is interrupted while it gives its bytes."""

    def __buffer__(self, _flags: int) -> memoryview:
        raise KeyboardInterrupt


@pytest.mark.skipif(sys.version_info < (3, 12), reason="buffers are made in Python from 3.12 on")
def test_what_a_buffer_raises_is_raised() -> None:
    for call in (SIGNER.sign, VERIFIER.verify):
        with pytest.raises(KeyboardInterrupt):
            call(Interrupted())


def test_a_buffer_is_free_again_after_the_call() -> None:
    data = bytearray(b"abc")
    SIGNER.sign(data)
    data.append(1)
    area = mapped(b"abc")
    SIGNER.sign(area)
    area.close()


def test_a_buffer_that_changes_meanwhile_is_signed_as_one_of_its_states() -> None:
    """Ed25519 reads what it signs twice. Two readings that differ would give the key away."""
    states = [bytes([fill]) * 200_000 for fill in (0, 255)]
    data = bytearray(states[0])
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for state in states:
                data[:] = state

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for _ in range(50):
            assert VERIFIER.verify(SIGNER.sign(data)).payload in states
            assert VERIFIER.verify(SIGNER.sign_record(data)).payload in states
    finally:
        stop.set()
        changer.join()


def test_an_envelope_that_changes_meanwhile_is_judged_as_it_was() -> None:
    whole = SIGNER.sign(bytes(100_000))
    other = bytearray(whole)
    other[50_000] ^= 1
    data = bytearray(whole)
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            data[:] = other
            data[:] = whole

    changer = threading.Thread(target=change)
    changer.start()
    reasons = set()
    try:
        for _ in range(100):
            try:
                assert VERIFIER.verify(data).payload == bytes(100_000)
            except brine.AlteredError as refused:
                reasons.add(refused.reason)
    finally:
        stop.set()
        changer.join()
    assert reasons <= {"signature-bad"}
