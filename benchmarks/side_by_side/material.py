"""The files that travel: made up, the same in every run."""

from __future__ import annotations

import hashlib
import random
from functools import cache
from pathlib import Path

from attrs import frozen

from side_by_side.workloads import MEBIBYTE

_WORDS = 4000
_LETTERS = "etaoinshrdlcumwfgypb"


@frozen
class Content:
    """The pushed and pulled paths: files, or one folder."""

    paths: tuple[Path, ...]
    is_folder: bool = False

    def digests(self) -> dict[Path, str]:
        """Return the SHA-256 of every file in hexadecimal, by its path."""
        below = (p for path in self.paths for p in ([path] if path.is_file() else files_in(path)))
        return {path: digest_of(path) for path in below}


class Material:
    """Makes contents below a folder, each once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self, count: int, size: int) -> Content:
        """Return `count` files of `size` random bytes each."""
        folder = self._folder / f"{count}-of-{size}"
        paths = tuple(folder / f"file-{number:04}.bin" for number in range(count))
        if not folder.exists():
            folder.mkdir(parents=True)
            chance = random.Random(f"{count} files of {size}")
            for path in paths:
                with path.open("wb") as file:
                    for start in range(0, size, MEBIBYTE):
                        file.write(chance.randbytes(min(MEBIBYTE, size - start)))
        return Content(paths)

    def folder(self, count: int) -> Content:
        """Return a folder of `count` text files of 1 to 40 KiB in fifty folders."""
        folder = self._folder / "texts"
        if not folder.exists():
            chance = random.Random("text files")
            paragraphs = _paragraphs(chance)
            for number in range(count):
                path = folder / f"part-{number % 50:02}" / f"text-{number:05}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                length, text = chance.randint(1024, 40 * 1024), ""
                while len(text) < length:
                    text += chance.choice(paragraphs)
                path.write_text(text[:length], encoding="ascii")
        return Content((folder,), is_folder=True)


def files_in(folder: Path) -> list[Path]:
    """Return every file below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


@cache
def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file that does not change, in hexadecimal."""
    return hash_file(path)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file as it is now, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _paragraphs(chance: random.Random) -> list[str]:
    # Common words are frequent, as in any text, so that the files compress like text.
    words = ["".join(chance.choices(_LETTERS, k=chance.randint(2, 10))) for _ in range(_WORDS)]
    weights = [1 / (rank + 2) for rank in range(_WORDS)]
    return [" ".join(chance.choices(words, weights, k=60)) + ".\n" for _ in range(_WORDS // 2)]
