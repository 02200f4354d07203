"""The form of the sources, which the tests of the programs hold them to in the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

PYTHON = Path(__file__).parent.parent
SOURCES = [*PYTHON.glob("src/*.rs"), *PYTHON.glob("brine/**/*.py"), *PYTHON.glob("*.py")]
MOST_LINES = 400


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_source_file_stays_short(source: Path) -> None:
    assert len(source.read_text().splitlines()) <= MOST_LINES


def test_the_map_shows_every_source_file() -> None:
    _, _, section = (PYTHON.parent / "ARCHITECTURE.md").read_text().partition("\n### python\n")
    section, _, _ = section.partition("\n### ")
    words = set(section.replace(":", " ").replace(",", " ").replace(";", " ").split())
    names = {source.stem for source in SOURCES} - {"__init__", "lib"}
    assert sorted(names - words) == []
