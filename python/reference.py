"""Write the API reference from the docstrings: ``python reference.py DIRECTORY``. A warning is an error."""

from __future__ import annotations

import collections.abc
import sys
import warnings
from pathlib import Path

import pdoc

import brine
from brine import _brine

# The type of what has a buffer, which the stubs name as one of the module. Python has it from 3.12 on.
vars(_brine)["Buffer"] = collections.abc.Buffer

if __name__ == "__main__":
    warnings.simplefilter("error")
    pdoc.render.configure(docformat="markdown", show_source=False)
    files = Path(brine.__file__).parent.glob("[!_]*.py")
    modules = ["brine", *sorted(f"brine.{file.stem}" for file in files)]
    pdoc.pdoc(*modules, output_directory=Path(sys.argv[1]))
