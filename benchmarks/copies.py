"""Many images: copies of one file, which the worker of each measurement makes and removes.

The copying itself is in `benchmarks.worker`.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import tempfile
from dataclasses import replace

from .data import FmriFile
from .errors import DataError
from .units import format_bytes

#: Mean images are saved as float64.
_SAVED_VOXEL_BYTES = 8


def several(each: FmriFile, images: int) -> FmriFile:
    """Describe copies of a file.

    Parameters
    ----------
    each : FmriFile
        The file.
    images : int
        How many copies.
    """
    one = each.data
    described = replace(
        one,
        raw_bytes=images * one.raw_bytes,
        file_bytes=images * one.file_bytes,
        sha256=hashlib.sha256(f"{images} x {one.sha256}".encode()).hexdigest(),
        images=images,
    )
    return FmriFile(each.path, described)


def check_room(file: FmriFile) -> None:
    """Make sure that the folder of temporary files has room for the copies of a file.

    Parameters
    ----------
    file : FmriFile
        With a number of images; one image is not copied.

    Raises
    ------
    DataError
        It has not.
    """
    images = file.data.images
    if images == 1:
        return
    needed = file.data.file_bytes + images * math.prod(file.data.shape[:3]) * _SAVED_VOXEL_BYTES
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{images} copies of {file.data.name} and their mean images need "
            f"{format_bytes(needed)}, and {folder} has {format_bytes(free)}. Make room, or set "
            "TMPDIR to another folder."
        )
