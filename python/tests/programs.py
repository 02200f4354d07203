"""The programs: those of the wheel, or those that were built in the repository."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent


def program(name: str) -> str:
    """Find a program, or skip the test."""
    installed = Path(sysconfig.get_path("scripts"), name)
    if installed.exists():
        return str(installed)
    built = PROJECT / "target/debug" / name
    if "BRINE_TEST_INSTALLED" in os.environ or not built.exists():
        pytest.skip(f"there is no program {name}: build it with cargo build")
    return str(built)


def run(
    name: str, *arguments: str, data: bytes = b"", status: int = 0, home: Path | None = None
) -> bytes:
    """Run a program to its end, and return its output."""
    environment = {**os.environ, **({} if home is None else {"BRINE_HOME": str(home)})}
    done = subprocess.run(
        [program(name), *arguments],
        check=False,
        input=data,
        capture_output=True,
        timeout=50,
        env=environment,
    )
    assert done.returncode == status, done.stderr.decode()
    return done.stdout
