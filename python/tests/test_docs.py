"""The examples of the documents run, and print what the documents say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import executor_kit
from programs import program

if TYPE_CHECKING:
    from collections.abc import Callable

    from server_kit import Server

PROJECT = Path(__file__).parent.parent.parent
PAGES = [
    PROJECT / "README.md",
    PROJECT / "python/README.md",
    PROJECT / "docs/powers.md",
    *PROJECT.glob("docs/python/*.md"),
]
WITHOUT_EXAMPLES = {"docs/python/install.md", "docs/python/README.md"}


NEED_A_WORKER = {"docs/python/executor.md", "docs/powers.md"}

NEED_REDIS = {"docs/python/arq.md", "docs/python/rq.md", "docs/python/taskiq.md"}

NEED_MODULES = {
    "docs/python/arq.md": ["arq"],
    "docs/python/recipes.md": ["joblib", "pandas", "sklearn"],
    "docs/python/taskiq.md": ["taskiq", "taskiq_redis"],
}
"""What may be missing: some of it needs other versions of what others need."""


def run_page(
    page: Path, directory: Path, programs: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the examples of a page in a process of its own, which finds some programs and this Python."""
    command = [sys.executable, str(Path(__file__).with_name("doc_page.py")), str(page)]
    found = [*map(os.path.dirname, programs), os.path.dirname(sys.executable), os.environ["PATH"]]
    return subprocess.run(
        command,
        check=False,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=55,
        env={**os.environ, "PATH": os.pathsep.join(found), **environment},
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_examples_of_a_page_run(
    page: Path, home: Path, tmp_path: Path, servers: Callable[[str], Server]
) -> None:
    needed: tuple[str, ...] = ()
    environment = {}
    name = str(page.relative_to(PROJECT))
    for module in NEED_MODULES.get(name, ()):
        pytest.importorskip(module)
    if name in NEED_A_WORKER:
        executor_kit.refuse_uninstalled()
        needed = (program("brine"),)
    if name in NEED_REDIS:
        database = sorted(NEED_REDIS).index(name)
        environment["REDIS_URL"] = (
            f"redis://127.0.0.1:{servers('redis').start_of.port}/{10 + database}"
        )
    done = run_page(page, tmp_path, needed, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    if name not in WITHOUT_EXAMPLES:
        assert " 0 examples" not in done.stdout, "the page has no examples"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (">>> 1 + 1\n2\n", 0),
        (">>> 1 + 1\n3\n", 1),
        ("```pycon\n>>> 1 + 1\n2\n```\nText after a fence.\n", 0),
        ("```pycon\n>>> import no_such_module\n```\n", 1),
        (
            "```pycon\n>>> def f(): return 1\n```\n\n```pycon\n>>> f(), f.__module__\n(1, '__main__')\n```\n",
            0,
        ),
    ],
)
def test_an_example_that_is_wrong_is_noticed(text: str, status: int, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    assert run_page(page, tmp_path).returncode == status
