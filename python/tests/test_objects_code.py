"""Code travels only by consent of both sides, and from whom the trust file lets send code."""

from __future__ import annotations

import functools
import os
import pickle
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

import brine
from brine import _code
from objects_kit import code_trust, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("cloudpickle")


def sent(alice: brine.Key, value: object) -> Any:
    """Send code from alice to somebody who lets her send code."""
    envelope = brine.dumps(value, key=alice, context="jobs", code=True)
    trust = code_trust(alice, "python-code/jobs")
    return brine.loads(envelope, trust=trust, context="jobs", code=True)


def test_functions_of_all_sorts(alice: brine.Key) -> None:
    start = 10

    def closure(number: int) -> int:
        return start + number

    def factorial(number: int) -> int:
        return 1 if number == 0 else number * factorial(number - 1)

    def generator(count: int) -> Iterator[int]:
        yield from range(count)

    class Counter:
        """A class that no module has."""

        def __init__(self) -> None:
            self.count = 0

        def up(self) -> int:
            self.count += 1
            return self.count

    assert sent(alice, closure)(1) == 11
    assert sent(alice, lambda number: number * 2)(4) == 8
    assert sent(alice, factorial)(5) == 120
    assert list(sent(alice, generator)(3)) == [0, 1, 2]
    assert sent(alice, functools.partial(closure, 5))() == 15
    counter = Counter()
    counter.up()
    assert sent(alice, counter).up() == 2
    first, second = sent(alice, [counter, counter])
    assert first is second


def run_python(script: str, *arguments: str) -> str:
    """Run a script as ``__main__`` of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_class_of_main_reaches_another_process(
    alice: brine.Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRINE_HOME", str(tmp_path))
    (tmp_path / "key.pem").touch(mode=0o600)
    (tmp_path / "key.pem").write_text(alice.to_pem())
    run_python(
        """
        import sys, brine
        class Point:
            def __init__(self, x): self.x = x
            def double(self): return Point(self.x * 2)
        key = brine.Key.from_pem(open(sys.argv[1] + "/key.pem").read())
        with open(sys.argv[1] + "/code", "wb") as file:
            brine.dump(Point(4), file, key=key, context="jobs", code=True)
        """,
        str(tmp_path),
    )
    with (tmp_path / "code").open("rb") as file:
        trust = code_trust(alice, "python-code/*")
        found: Any = brine.load(file, trust=trust, context="jobs", code=True)
    assert found.double().x == 8


TRUST_THAT_GIVES_NO_CODE = [
    None,
    ["*"],
    ["*/*"],
    ["*/jobs"],
    ["jobs"],
    ["reports/*"],
    ["python-code*/*"],
    ["python-code/reports"],
    ["python-code"],
]


@pytest.mark.parametrize("contexts", TRUST_THAT_GIVES_NO_CODE, ids=str)
@pytest.mark.parametrize("in_memory", [True, False])
def test_trust_in_other_things_is_none_in_code(
    alice: brine.Key, contexts: list[str] | None, *, in_memory: bool
) -> None:
    envelope = brine.dumps(print, key=alice, context="jobs", code=True)
    if in_memory:
        trust = brine.Trust.of({"alice": alice.public}, contexts=contexts)
    else:
        line = f"contexts = {contexts}\n".replace("'", '"') if contexts else ""
        trust = brine.Trust.parse(f'[[signer]]\nname = "alice"\nkey = "{alice.public}"\n{line}')
    for load in (
        lambda: brine.loads(envelope, trust=trust, context="jobs", code=True),
        lambda: brine.loads(
            envelope, verifier=brine.Verifier(trust, context="python-code/jobs"), code=True
        ),
        lambda: brine.verify(envelope, trust=trust, context="python-code/jobs"),
    ):
        with refusal("context-not-allowed", brine.UntrustedError):
            load()


def test_one_key_can_have_an_entry_for_all_and_one_for_code(alice: brine.Key) -> None:
    entry = f'[[signer]]\nname = "alice"\nkey = "{alice.public}"\n'
    trust = brine.Trust.parse(f'{entry}\n{entry}contexts = ["python-code/*"]\n')
    envelope = brine.dumps(print, key=alice, context="jobs", code=True)
    assert brine.loads(envelope, trust=trust, context="jobs", code=True) is print
    revoked = brine.Trust.parse(
        f'{entry}revoked-at = 2020-01-01T00:00:00Z\n\n{entry}contexts = ["python-code/*"]\n'
    )
    with refusal("signer-revoked", brine.UntrustedError):
        brine.loads(envelope, trust=revoked, context="jobs", code=True)


def test_data_is_never_loaded_as_code_nor_code_as_data(
    alice: brine.Key, trust: brine.Trust
) -> None:
    coding = code_trust(alice, "python-code/*", "jobs")
    data = brine.dumps([1], key=alice, context="jobs")
    code = brine.dumps([1], key=alice, context="jobs", code=True)
    with refusal("context-mismatch", brine.UntrustedError) as refused:
        brine.loads(code, trust=trust, context="jobs")
    assert "code=True" in str(refused.value)
    with refusal("context-not-allowed", brine.UntrustedError):
        brine.loads(data, trust=trust, context="jobs", code=True)
    # What is signed for a context of code, and has another content type.
    for content_type in (None, "application/x-python-pickle"):
        other = brine.sign(
            pickle.dumps([1]), key=alice, context="python-code/jobs", content_type=content_type
        )
        with refusal("wrong-content-type", brine.UnsupportedError):
            brine.loads(other, trust=coding, context="jobs", code=True)
    # What has the content type of code, and is signed for another context.
    other = brine.sign(
        pickle.dumps([1]), key=alice, context="jobs", content_type=_code.CONTENT_TYPE_HERE
    )
    with refusal("wrong-content-type", brine.UnsupportedError):
        brine.loads(other, trust=coding, context="jobs")
    with refusal("usage", brine.UsageError):
        brine.loads(other, verifier=brine.Verifier(coding, context="jobs"), code=True)


def test_code_of_another_python_is_refused(alice: brine.Key) -> None:
    for version in ("2.7", "3.10", "3.110"):
        envelope = brine.sign(
            pickle.dumps(print),
            key=alice,
            context="python-code/jobs",
            content_type=f"application/x-python-cloudpickle; python={version}",
        )
        with refusal("python-version", brine.UnsupportedError) as refused:
            brine.loads(
                envelope, trust=code_trust(alice, "python-code/*"), context="jobs", code=True
            )
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        assert f"Python {version}," in str(refused.value)
        assert f"Python {here}" in str(refused.value)


def test_without_cloudpickle(alice: brine.Key, monkeypatch: pytest.MonkeyPatch) -> None:
    envelope = brine.dumps(print, key=alice, context="jobs", code=True)
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with refusal("cloudpickle-missing", brine.UnsupportedError) as refused:
        brine.dumps(print, key=alice, context="jobs", code=True)
    assert 'pip install "brine-sign[code]"' in str(refused.value)
    with refusal("cloudpickle-missing", brine.UnsupportedError):
        brine.loads(envelope, trust=code_trust(alice, "python-code/*"), context="jobs", code=True)
    assert brine.loads(brine.dumps([1], key=alice), trust=brine.Trust.of({"a": alice.public})) == [
        1
    ]


def test_calls_that_make_no_sense(alice: brine.Key, trust: brine.Trust) -> None:
    plain, coding = brine.Signer(alice), brine.Signer(alice, context="python-code/jobs")
    envelope = brine.dumps([1], key=alice)
    unsigned = brine.Unsigned()
    for call in (
        lambda: brine.dumps(print, key=alice, code=True),
        lambda: brine.dumps(print, key=alice, context="", code=True),
        lambda: brine.loads(envelope, trust=trust, context="", code=True),
        lambda: brine.dumps(print, key=alice, context="python-code/jobs", code=True),
        lambda: brine.dumps([1], key=alice, context="python-code/jobs"),
        lambda: brine.dumps(print, signer=plain, code=True),
        lambda: brine.dumps([1], signer=coding),
        lambda: brine.dumps([1], signer=plain, key=alice),
        lambda: brine.loads(envelope, trust=trust, code=True),
        lambda: brine.loads(envelope, trust=trust, context="a", code=True, allow="numpy"),
        lambda: brine.loads(envelope, trust=trust, context="a", code=True, fallback=unsigned),
        lambda: brine.loads(envelope, trust=trust, verifier=brine.Verifier(trust)),
        lambda: brine.loads(envelope, trust=trust, fallback=True),  # type: ignore[arg-type]
        lambda: brine.loads(envelope, trust=trust, allow=[1]),  # type: ignore[list-item]
        lambda: brine.loads(envelope, trust=trust, allow="os.*"),
    ):
        with refusal("usage", brine.UsageError):
            call()  # type: ignore[no-untyped-call]


def test_what_cannot_be_pickled_says_what_can(alice: brine.Key) -> None:
    for value in (lambda: 1, open(os.devnull), alice):  # noqa: SIM115
        with refusal("not-picklable", brine.UsageError) as refused:
            brine.dumps([value], key=alice)
        assert "code=True" in str(refused.value)
