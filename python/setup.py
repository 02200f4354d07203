"""Put the package, the extension module and the programs into one wheel.

The build backend is setuptools with setuptools-rust, which builds an extension and programs into the same wheel.
maturin builds one or the other.

The programs are the same as those of `cargo install`: `brine run` starts its own file again to confine a job, which a
script that calls Python could not offer.
"""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

from setuptools import setup
from setuptools.command.sdist import sdist
from setuptools_rust import Binding, RustBin, RustExtension

WORKSPACE = Path("workspace") if Path("workspace").exists() else Path("..")
"""The Rust workspace: beside this file in an sdist, above it in the repository."""

IN_SDIST = (
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "crates",
    "python/Cargo.lock",
    "python/Cargo.toml",
    "python/src",
    "src",
    "tests",
)
"""What an sdist takes along. Cargo asks for tests and benchmarks that a manifest names, even if it builds neither."""

CARGO_ARGS = ["--config", str(WORKSPACE / ".cargo/config.toml")]
"""Cargo looks for its configuration above the working directory, where that of the workspace is not in an sdist."""


class SourceDistribution(sdist):
    """An sdist with the Rust workspace inside."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Fill the directory that becomes the sdist."""
        super().make_release_tree(base_dir, files)
        for name in IN_SDIST:
            source, target = WORKSPACE / name, Path(base_dir, "workspace", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)


def version() -> str:
    """Read the version, which the package shares with the extension module and the programs."""
    manifest = tomllib.loads((WORKSPACE / "python/Cargo.toml").read_text())
    return str(manifest["package"]["version"])


def program(name: str) -> RustBin:
    """Build one of the programs."""
    return RustBin(
        name,
        path=str(WORKSPACE / "Cargo.toml"),
        args=["--package", "brine-cli", "--bins", *CARGO_ARGS],
        cargo_manifest_args=["--locked"],
        features=["brokers"],
    )


setup(
    version=version(),
    cmdclass={"sdist": SourceDistribution},
    # One wheel for every CPython from 3.11 on: its stable interface has buffers from there on.
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    rust_extensions=[
        RustExtension(
            "brine._brine",
            path=str(WORKSPACE / "python/Cargo.toml"),
            args=CARGO_ARGS,
            cargo_manifest_args=["--locked"],
            binding=Binding.PyO3,
            py_limited_api=True,
        ),
        program("brine"),
        program("brinekey"),
    ],
)
