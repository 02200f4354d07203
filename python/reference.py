"""Write the API reference from the docstrings: ``python reference.py DIRECTORY``. A warning is an error."""

from __future__ import annotations

import collections.abc
import os
import sys
import warnings
from pathlib import Path

import pdoc

import brine
from brine import _brine

# Types that the stubs name as those of the module, which has them only there. Python has Buffer from 3.12 on.
vars(_brine)["Buffer"] = collections.abc.Buffer
vars(_brine)["KeyLike"] = _brine.Key | str | os.PathLike[str]

# Exceptions say that they are of the module from which they are imported. Python would look for their source there.
for value in [getattr(brine, name) for name in brine.__all__]:
    if isinstance(value, type) and "__firstlineno__" in vars(value) and value.__module__ == "brine":
        del value.__firstlineno__

if __name__ == "__main__":
    warnings.simplefilter("error")
    pdoc.render.configure(docformat="markdown", show_source=False)
    files = Path(brine.__file__).parent.glob("[!_]*.py")
    modules = ["brine", *sorted(f"brine.{file.stem}" for file in files)]
    pdoc.pdoc(*modules, output_directory=Path(sys.argv[1]))
