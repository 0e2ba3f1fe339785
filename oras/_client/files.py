"""The empty config as a file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from oras import utils

__all__ = ["temporary_empty_config"]


@contextmanager
def temporary_empty_config() -> Iterator[str]:
    """Yield the path of a temporary file that contains `{}`, the empty config."""
    path = utils.get_tmpfile(suffix=".json")
    try:
        yield utils.write_file(path, "{}")
    finally:
        shutil.rmtree(os.path.dirname(path))
