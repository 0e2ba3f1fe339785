"""Train on the files of a tag. The first epoch fills a cache; later epochs send no request.

It needs `pip install 'oras-sdk[fsspec]'`. Run it with the address of a registry and the number
of epochs: `python examples/data/cached_epochs.py localhost:5001 2`.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import fsspec

import oras
from oras_adapters import load_settings
from oras_core import BytesSource, File

SAMPLES = 32
BATCH = 8


def push_samples(place: str) -> None:
    """Push files of 10 kB."""
    generator = random.Random(0)
    contents = (generator.randbytes(10_000) for _ in range(SAMPLES))
    files = [
        File(f"train/{number:03}.bin", BytesSource(content))
        for number, content in enumerate(contents)
    ]
    with oras.Client() as client:
        client.push(place, files)


def batches(
    paths: Sequence[str], read: Callable[[str], bytes], epoch: int
) -> Iterator[list[bytes]]:
    """Yield the contents of all files in batches, in another order in each epoch."""
    order = random.Random(epoch).sample(paths, len(paths))
    with ThreadPoolExecutor(BATCH) as pool:
        for start in range(0, len(order), BATCH):
            yield list(pool.map(read, order[start : start + BATCH]))


def main(argv: Sequence[str]) -> None:
    """Push samples to the registry `argv[0]`, and read them in `argv[1]` epochs."""
    place = f"{argv[0]}/examples/samples:v1"
    push_samples(place)
    with tempfile.TemporaryDirectory() as cache:
        settings = load_settings({**os.environ, "ORAS_CACHE": cache})
        system: Any = fsspec.filesystem("oras", settings=settings)
        paths = system.find(f"{place}/train")
        for epoch in range(1, int(argv[1]) + 1):
            read = list(batches(paths, system.cat_file, epoch))
            size = sum(len(sample) for batch in read for sample in batch)
            print(f"epoch {epoch}: {len(read)} batches, {size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
