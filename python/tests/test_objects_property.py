"""Whatever a pickle says: it gives a value or is refused, and does nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("hypothesis")


@pytest.mark.time_limit(170)
def test_mutated_pickles_do_nothing_that_no_list_allows() -> None:
    script = Path(__file__).with_name("objects_audit.py")
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=160,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'loaded'" in done.stdout
    assert "'import-not-allowed'" in done.stdout
