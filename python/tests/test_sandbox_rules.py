"""Rules of the language: what breaks one is told as such, with its line and its column in characters."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import brine
from brine._guest.cbor import encode
from sandbox_kit import refuse_without_confinement

ALL = ["async", "class", "def", "for", "import", "nonlocal", "try", "while", "with"]


@pytest.fixture(autouse=True)
def confined() -> None:
    refuse_without_confinement()


def broken(code: str, **rules: Any) -> tuple[str, int | None, int | None, str]:
    """Return which rule code breaks, where, and what is said."""
    with pytest.raises(brine.RuleError) as raised:
        brine.safe_eval(code, **rules)
    error = raised.value
    return error.rule, error.line, error.column, error.message


@pytest.mark.parametrize(
    ("code", "line", "column", "said"),
    [
        ("x = 1\nreturn x", 2, 1, "'return' outside function"),
        ("äöü = 'äöü'; return", 1, 14, "'return' outside function"),
        ("if 1:\n    ä = 1; break", 2, 12, "'break' outside loop"),
        ("ü\r\n\r\n  \x0c\nü; continue", 4, 4, "'continue' not properly in loop"),
        ("'ä'; yield 1", 1, 6, "'yield' outside function"),
        ("'ä'; await x", 1, 6, "'await' outside function"),
        ("def f():\n    'ä'; nonlocal x", 2, 10, "no binding for nonlocal 'x' found"),
        ("'ä'; lambda a, a: 1", 1, None, "duplicate argument 'a' in function definition"),
        ("'ä'; __debug__ = 1", 1, 6, "cannot assign to __debug__"),
        ("'ä'\n'ä'; [x async for x in y]", 2, 6, "asynchronous comprehension outside"),
        ("'ä'; x = (1\n", 1, 10, "'(' was never closed"),
    ],
)
def test_what_does_not_compile_is_refused_with_its_place(
    code: str, line: int, column: int | None, said: str
) -> None:
    rule, found_line, found_column, message = broken(code, operations=ALL)
    assert (rule, found_line) == ("syntax", line)
    assert said in message
    assert column is None or found_column == column


@pytest.mark.parametrize(
    "code",
    [
        "-" * 100_000 + "1",
        "a" + ".b" * 100_000,
        "a" + "+b" * 100_000,
        "(" * 100_000,
        "a\0b",
        "'\ud800'",
    ],
    ids=["signs", "attributes", "sums", "brackets", "null", "half a character"],
)
def test_what_the_parser_cannot_take_is_not_what_the_code_raises(code: str) -> None:
    if "\ud800" in code:
        with pytest.raises(brine.UsageError) as refused:
            brine.safe_eval(code)
        assert refused.value.reason == "not-plain"
    else:
        assert broken(code)[0] == "syntax"


@pytest.mark.parametrize(
    ("code", "line", "column", "name"),
    [
        ('äöü = "äöü"; import os', 1, 14, "import"),
        ("𝔸 = 1; import os", 1, 8, "import"),
        ("x = '''\r\n'''; 'é'; import os", 2, 11, "import"),
        ("async def f():\n    return [\n        x async for x in y]", 1, 1, "async"),
        ("1\n(x\n  async for x in y)", 3, 13, "async"),
    ],
)
def test_columns_count_characters(code: str, line: int, column: int, name: str) -> None:
    rule, *place, message = broken(code)
    assert (rule, *place) == ("operations", line, column)
    assert message == f"line {line}, column {column}: {name!r} is not allowed"


@pytest.mark.parametrize("place", [10**2400, -5, 0, True, "1", None, 1.5, [1]])
def test_a_place_that_cannot_be_is_none(place: Any) -> None:
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    answer = {"broken": ["operations", "said", place, place]}
    data = encode([2, 1, answer], list)
    code = (
        "import os\n"
        f"data = {data.hex()!r}\n"
        "os.write(3, (len(data) // 2).to_bytes(4, 'big') + bytes.fromhex(data))\nos._exit(0)"
    )
    try:
        with pytest.raises(brine.RuleError) as raised:
            brine.safe_eval(code, operations=["import"], modules=["os"])
    finally:
        sys.set_int_max_str_digits(digits)
    error = raised.value
    assert (error.line, error.column, error.message) == (None, None, "said")
