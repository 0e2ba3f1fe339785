"""Open a zarr array in a registry. The chunks that are used are fetched, and no others.

It needs `pip install 'oras-sdk[fsspec]' zarr`. Run it with the address of a registry:
`python examples/data/zarr_array.py localhost:5001`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import fsspec
import numpy as np
import zarr


def main(argv: Sequence[str]) -> None:
    """Push an array to the registry `argv[0]`, and read a part of it there."""
    place = f"oras://{argv[0]}/examples/array:v1"
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "array.zarr"))
        array = zarr.create_array(path, shape=(1000, 1000), chunks=(250, 250), dtype="i4")
        array[:] = np.arange(1_000_000).reshape(1000, 1000)
        # Each chunk of the array is a file, and becomes a layer.
        fsspec.filesystem("oras").put(path, place, recursive=True)

    opened = zarr.open_array(place, mode="r")
    part = np.asarray(opened[200:300, 100:200])
    print(f"read {part.shape} of {opened.shape}, which has {opened.nchunks} chunks")
    print(f"the first number is {part[0, 0]}")


if __name__ == "__main__":
    main(sys.argv[1:])
