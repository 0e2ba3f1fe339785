"""Read one column of a parquet file in a registry. The other columns are not fetched.

It needs `pip install 'oras-sdk[fsspec]' pyarrow`. Run it with the address of a registry:
`python examples/data/parquet_column.py localhost:5001`.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
from array import array
from collections.abc import Sequence
from pathlib import Path

import fsspec
import pyarrow as pa
from pyarrow import parquet

import oras

ROWS = 50_000
COLUMNS = ("price", *(f"measure{number}" for number in range(39)))


def write_table(path: Path) -> None:
    """Write a table of 16 MB."""
    generator = random.Random(0)
    columns = [array("d", (generator.random() for _ in range(ROWS))) for _ in COLUMNS]
    table = pa.table([pa.array(column) for column in columns], names=COLUMNS)
    parquet.write_table(table, path, compression="none", use_dictionary=False)


def main(argv: Sequence[str]) -> None:
    """Push a table to the registry `argv[0]`, and read a column of it there."""
    place = f"{argv[0]}/examples/table:v1"
    with oras.Client() as client, tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "part-0.parquet")
        write_table(path)
        client.push(place, {"train/part-0.parquet": path})
        size = path.stat().st_size

    system = fsspec.filesystem("oras")
    part = f"{place}/train/part-0.parquet"
    # pyarrow's own threads may still hold the file when Python ends, which then aborts
    # (https://github.com/apache/arrow/issues/34314). One column needs no threads.
    with system.open(part) as file, parquet.ParquetFile(file, pre_buffer=False) as table:
        prices = table.read(["price"], use_threads=False)["price"].to_pylist()
    mean = statistics.fmean(prices)
    print(f"{len(prices)} prices, {mean:.2f} on average, from a file of {size // 10**6} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
