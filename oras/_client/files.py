"""The empty config as a file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from oras.utils import get_tmpfile, write_file

__all__ = ["temporary_empty_config"]


@contextmanager
def temporary_empty_config() -> Iterator[str]:
    """Yield the path of a temporary file that contains `{}`, the empty config."""
    path = get_tmpfile(suffix=".json")
    try:
        yield write_file(path, "{}")
    finally:
        shutil.rmtree(os.path.dirname(path))
