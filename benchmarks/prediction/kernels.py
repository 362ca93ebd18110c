"""Plain work whose speed bounds what any method can reach: read, unpack, convert, copy, pack.

Each function does one thing with all the bytes of a run and nothing else. Buffers are reused, so
that they stay in the processor's cache, unless new memory is what is measured.
"""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

#: Large enough that a call costs nothing beside it, small enough for a cache.
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class Run:
    """What a kernel has to know of a run.

    Attributes
    ----------
    dtype : str
        Type of a voxel in the file.
    voxels, volumes : int
        Voxels of a volume, and volumes of the run.
    """

    dtype: str
    voxels: int
    volumes: int


def read(path: str, run: Run) -> None:
    """Read the file as it is on disk."""
    with Path(path).open("rb", buffering=0) as stream:
        _drain(stream)


def inflate_isal(path: str, run: Run) -> None:
    """Unpack the .gz file with isal."""
    from isal import igzip  # noqa: PLC0415 - the other kernels need none of it

    stream: Any = igzip.open(path)  # type: ignore[no-untyped-call]
    with stream:
        _drain(stream)


def inflate_zlib(path: str, run: Run) -> None:
    """Unpack the .gz file with Python's own library."""
    with gzip.open(path) as stream:
        _drain(stream)


def _drain(stream: Any) -> None:
    buffer = bytearray(BUFFER_BYTES)
    while stream.readinto(buffer):
        pass


def to_float32(path: str, run: Run) -> None:
    """Convert every voxel to float32."""
    _convert(run, "float32")


def to_float64(path: str, run: Run) -> None:
    """Convert every voxel to float64."""
    _convert(run, "float64")


def _convert(run: Run, wanted: str) -> None:
    volume, converted = np.ones(run.voxels, run.dtype), np.empty(run.voxels, wanted)
    for _ in range(run.volumes):
        converted[:] = volume


def copy(path: str, run: Run) -> None:
    """Fill a new float32 array of the whole run with copies of one volume."""
    volume = np.ones(run.voxels, np.float32)
    copies = np.empty((run.volumes, run.voxels), np.float32)
    for index in range(run.volumes):
        copies[index] = volume


def deflate_isal(path: str, run: Run) -> None:
    """Pack the middle volume as float32 with isal at its fastest level, once for each volume."""
    import nibabel as nib  # noqa: PLC0415 - the other kernels need none of it
    from isal import igzip  # noqa: PLC0415 - as above

    img: Any = nib.load(path)
    middle = np.asarray(img.dataobj[..., run.volumes // 2], np.float32).tobytes(order="F")
    target: Any = igzip.open(os.devnull, "wb", compresslevel=1)  # type: ignore[no-untyped-call]
    with target:
        for _ in range(run.volumes):
            target.write(middle)
