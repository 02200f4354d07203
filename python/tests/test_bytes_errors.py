"""Exceptions: one tree over the classes of the programs, which tells what happened and what to do."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path

import pytest

import brine
from brine._errors import refusal

DOCS = Path(__file__).resolve().parents[2] / "docs"

CLASSES = {
    1: brine.AlteredError,
    2: brine.UsageError,
    3: brine.UnsupportedError,
    4: brine.InputOutputError,
    5: brine.UntrustedError,
    6: brine.KeyFileError,
}


@pytest.mark.parametrize(("status", "kind"), CLASSES.items())
def test_each_exit_status_is_a_class(status: int, kind: type[brine.Error]) -> None:
    error = refusal("it failed", "try again", "some-reason", status, ["a:b"])
    assert type(error) is kind
    assert isinstance(error, brine.Error)
    assert (error.message, error.hint, error.reason, error.status, error.allow) == (
        "it failed",
        "try again",
        "some-reason",
        status,
        ("a:b",),
    )


def test_what_python_has_classes_for_is_one_of_them() -> None:
    assert issubclass(brine.UsageError, ValueError)
    assert issubclass(brine.InputOutputError, OSError)
    assert issubclass(brine.ReplayedError, brine.UntrustedError)


def test_a_replayed_one_has_a_class_of_its_own() -> None:
    assert type(refusal("x", None, "replayed", 5, [])) is brine.ReplayedError


def test_text_shows_the_hint() -> None:
    assert str(refusal("it failed", "try again", "r", 1, [])) == "it failed\ntry again"
    assert str(refusal("it failed", None, "r", 1, [])) == "it failed"
    assert str(refusal("it failed", "try again", "r", 4, [])) == "it failed\ntry again"


@pytest.mark.parametrize("status", CLASSES)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_exception_goes_to_another_process(status: int, protocol: int) -> None:
    error = refusal("it failed", "try again", "some-reason", status, ["a:b"])
    error.add_note("in worker 3")
    for again in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error)):
        assert type(again) is type(error)
        assert (str(again), again.reason, again.status, again.allow) == (
            str(error),
            error.reason,
            error.status,
            error.allow,
        )


def documented() -> dict[str, tuple[str, str]]:
    """Read which exception and which reason docs/python/bytes.md gives for each status."""
    page = (DOCS / "python" / "bytes.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\d) \| (.+?) \|", page, re.MULTILINE)
    return {name: (status, meaning) for name, status, meaning in rows}


def test_the_page_lists_each_class_with_its_status() -> None:
    found = {name: int(status) for name, (status, _) in documented().items()}
    assert found == {kind.__name__: status for status, kind in CLASSES.items()} | {
        "ReplayedError": 5
    }


def test_messages_and_hints_name_arguments_and_no_options(
    alice: brine.Key, mallory: brine.Key, trust: brine.Trust
) -> None:
    """What the programs say of options, Python says of arguments."""
    signed = brine.sign(b"x", key=alice, context="a b")
    plain = brine.sign(b"x", key=alice)
    calls = [
        (lambda: brine.verify(signed, trust=trust), 'give context="CONTEXT"'),
        (lambda: brine.verify(plain, trust=trust, context="a"), "leave out context"),
        (
            lambda: brine.verify(brine.sign(b"x", key=alice, detached=True), trust=trust),
            "give payload",
        ),
        (lambda: brine.verify(plain[1:], trust=trust), "untagged=True"),
        (lambda: brine.verify(plain, b"x", trust=trust), "without one beside it"),
        (lambda: brine.verify(plain[:-1] + bytes([plain[-1] ^ 1]), trust=trust), "aad"),
        (lambda: brine.verify(plain, trust=brine.Trust.of({})), "if you know the signer"),
        (lambda: brine.verify(str(alice.public).encode(), trust=trust), "PublicKey.load"),
        (lambda: brine.verify(plain + plain, trust=trust), "each by itself"),
        (lambda: brine.sign(b"x", key=alice, expires="2020-01-01T00:00Z"), "expires: 2020"),
        (lambda: brine.sign(b"x", key=alice, expires="1d", not_before="2d"), "not_before"),
        (lambda: brine.sign(b"x", key=alice, content_type="?"), "content_type: expected"),
        (lambda: brine.Verifier(trust, max_age="1y"), "max_age: months and years"),
        (lambda: brine.Verifier(trust, typ=""), "untyped=True"),
        (lambda: brine.Verifier(trust, try_keys=0), "try_keys: expected"),
        (lambda: brine.Verifier(trust, try_keys=-1), "try_keys: expected"),
        (lambda: brine.Verifier(trust, try_keys=-(2**70)), "try_keys: expected"),
        (lambda: brine.Verifier(trust, now="2026-12-31"), "now: .* no time zone"),
        (lambda: brine.Signer(alice, context="\n"), "context: expected text"),
    ]
    for call, expected in calls:
        with pytest.raises(brine.Error) as refused:
            call()
        text = str(refused.value)
        assert re.search(expected, text), text
        assert not re.search(r"(?:^|[\s\"])--?[a-z]", text), text
