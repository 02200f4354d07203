"""Reads ``fixtures/vectors``: one file a rule. The README beside them describes the form."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import brine

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "vectors"

NOTHING = hashlib.sha256(b"").hexdigest()

# Trust files are read again while they are trusted, so they stay until the end.
_FILES = tempfile.TemporaryDirectory()

_OPTIONS = {
    "aad",
    "command",
    "context",
    "detached",
    "expect",
    "job",
    "result-of",
    "max-age",
    "now",
    "outer-tags",
    "policy",
    "released",
    "revoked",
    "signer",
    "statements",
    "taken",
    "trust",
    "try-keys",
    "typ",
    "untagged",
    "untyped",
}


@dataclass
class Vector:
    """One scenario."""

    name: str
    envelope: bytes
    keys: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Vector:
        """Read a file, and refuse keys that are not known."""
        head, body = path.read_text().split("\n\n", 1)
        vector = cls(path.name, bytes.fromhex(body))
        for line in head.splitlines():
            key, value = line.split(": ", 1)
            if key == "key":
                vector.keys.append(value)
            elif key in _OPTIONS:
                vector.options[key] = value
            elif key not in {"comment", "grant"}:
                raise ValueError(f"{path.name}: unknown key {key}")
        return vector

    @property
    def expect(self) -> str:
        """``ok``, or the reason why it must be refused."""
        return self.options["expect"]

    @property
    def is_job(self) -> bool:
        """Whether it is to be judged as ``brine run`` judges a job."""
        return "job" in self.options

    @property
    def detached(self) -> bytes | None:
        """The payload that lies beside it."""
        return self._bytes("detached")

    def verifier(self) -> brine.Verifier:
        """Return what is to judge it."""
        options = self.options
        return brine.Verifier(
            self._trust(),
            context=options.get("context"),
            signer=options.get("signer"),
            typ=options.get("typ"),
            max_age=f"{options['max-age']}s" if "max-age" in options else None,
            aad=self._bytes("aad"),
            now=options["now"],
            try_keys=int(options["try-keys"]) if "try-keys" in options else None,
            untagged="untagged" in options,
            outer_tags="outer-tags" in options,
            untyped="untyped" in options,
        )

    def _trust(self) -> brine.Trust:
        text, revoked = self._bytes("trust"), self._bytes("revoked")
        kept = self._bytes("statements")
        if text is None:
            return brine.Trust.of({line: brine.PublicKey.load(line) for line in self.keys})
        if revoked is None and kept is None:
            return brine.Trust.parse(text.decode())
        folder = Path(_FILES.name, self.name)
        folder.mkdir(exist_ok=True)
        file, revocations = folder / "trust", folder / "revoked"
        file.write_bytes(text)
        if kept is not None:
            (folder / "trust.statements").write_bytes(kept)
        if revoked is None:
            return brine.Trust.load(file)
        revocations.write_bytes(revoked)
        return brine.Trust.load(file, revoked=revocations)

    def _bytes(self, key: str) -> bytes | None:
        text = self.options.get(key)
        return None if text is None else bytes.fromhex(text)


def vectors() -> list[Vector]:
    """Read all vectors but those of results and statements, which the package does not take, sorted by name."""
    found = [Vector.read(path) for path in sorted(FOLDER.glob("*.vector"))]
    return [vector for vector in found if not {"result-of", "taken"} & set(vector.options)]
