"""Run the examples of a page as doctests: ``python doc_page.py PAGE``.

The examples of a page run in order, in one namespace, which is that of a program's ``__main__``. This needs nothing but
the standard library, so that it also runs where only the package is installed.
"""

from __future__ import annotations

import doctest
import sys
from pathlib import Path
from types import ModuleType

FENCE = "```"


def examples(page: Path) -> doctest.DocTest:
    """Collect the examples of a page. A fence ends what an example prints, as an empty line does."""
    lines = page.read_text(encoding="utf-8").splitlines()
    text = "\n".join("" if line.lstrip().startswith(FENCE) else line for line in lines)
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    found = doctest.DocTestParser().get_doctest(text + "\n", {}, page.name, str(page), 0)
    # Not a copy: what an example defines is found again in ``__main__`` by its name.
    found.globs = vars(main)
    return found


def run(page: Path) -> tuple[int, int]:
    """Run the examples of a page; return how many failed, and how many there are."""
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    result = runner.run(examples(page), clear_globs=False)
    return result.failed, result.attempted


if __name__ == "__main__":
    failed, attempted = run(Path(sys.argv[1]))
    print(f"{sys.argv[1]}: {attempted} examples, {failed} failed")
    sys.exit(1 if failed else 0)
