"""Memory that reading a set takes does not grow with its images."""

import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

IMAGE_BYTES = 50_000
READ = f"""
import resource, sys
from pathlib import Path
from privaudit.data.embedded import parquet_cell
from privaudit.data.listing import list_set
parquet_cell.CHUNK_BYTES, parquet_cell.CACHE_BYTES = 2**20, 2**21
for source in sys.argv[1:]:
    for entry in list_set(Path(source)).entries:
        assert len(entry.open().read()) == {IMAGE_BYTES}
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def image(number: int) -> bytes:
    return np.random.default_rng(number).bytes(IMAGE_BYTES)


def tar(path: Path, count: int) -> None:
    with tarfile.open(path, "w") as archive:
        for number in range(count):
            member = tarfile.TarInfo(f"{number}.png")
            member.size = IMAGE_BYTES
            archive.addfile(member, io.BytesIO(image(number)))


def zipped(path: Path, count: int) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            archive.writestr(f"{number}.png", image(number))


def rows(count: int) -> list[pyarrow.RecordBatch]:
    """Rows in groups of 50."""
    return [
        pyarrow.RecordBatch.from_pylist([{"image": {"bytes": image(number)}} for number in range(start, start + 50)])
        for start in range(0, count, 50)
    ]


def parquet_file(path: Path, count: int) -> None:
    parquet.write_table(pyarrow.Table.from_batches(rows(count)), path, row_group_size=50)


def arrow_file(path: Path, count: int) -> None:
    batches = rows(count)
    with pyarrow.ipc.new_stream(path, batches[0].schema) as stream:
        for batch in batches:
            stream.write_batch(batch)


@pytest.mark.parametrize(
    ("suffix", "write"), [("tar", tar), ("zip", zipped), ("parquet", parquet_file), ("arrow", arrow_file)]
)
def test_ten_times_the_images_take_no_more_memory(
    tmp_path: Path, suffix: str, write: Callable[[Path, int], None]
) -> None:
    sources = [tmp_path / f"{count}.{suffix}" for count in (200, 2000)]
    for source, count in zip(sources, (200, 2000), strict=True):
        write(source, count)
    done = subprocess.run([sys.executable, "-c", READ, *map(str, sources)], capture_output=True, text=True, check=True)
    few, many = (int(line) * 1024 for line in done.stdout.split())
    growth = sources[1].stat().st_size - sources[0].stat().st_size
    assert growth > 80_000_000
    assert many - few < growth / 3
