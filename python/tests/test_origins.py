"""Each wish that brine comes from names what shows it, and that is there."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent


def test_each_wish_is_shown_by_a_test_that_is_there() -> None:
    page = (PROJECT / "docs/origins.md").read_text()
    named = re.findall(r"`((?:python|tests|fixtures|docs)/[\w./]+?)(?:::(\w+))?`", page)
    assert len(named) > 30
    for file, test in named:
        assert (PROJECT / file).exists(), file
        if test:
            assert f"def {test}(" in (PROJECT / file).read_text(), test


def test_there_are_all_wishes() -> None:
    page = (PROJECT / "docs/origins.md").read_text()
    numbers = [int(number) for number in re.findall(r"^\| (\d) \|", page, re.MULTILINE)]
    assert numbers == [*range(1, 9), *range(1, 6), *range(1, 6), *range(1, 8), *range(1, 6)]
