"""Small files of every kind, from which follows how time and memory grow with a file.

What a method needs depends on the kind of the file, on the voxels of a volume, and on the
number of volumes. Three files of each kind tell the three apart: a small one, one with larger
volumes, and one with more of them. They are made of the first volumes of the run that is measured
on, so that no run is too large for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from . import forms, made
from .folders import cache_folder
from .forms import Form
from .units import MIB

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .data import FmriFile
    from .runs import Data
#: By the name of a kind of voxels: their type, and whether they are scaled and shifted.
VOXELS = {
    "int16": Form("int16", None, "int16"),
    "scaled": Form("int16, scaled", None, "int16", scaled=True),
    "shifted": Form("int16, scaled and shifted", None, "int16", scaled=True, shifted=True),
    "float32": Form("float32", None, "float32"),
    "float64": Form("float64", None, "float64"),
}

ENDINGS = ("nii", "nii_gz")

#: By the name of a size: least voxels of a volume, and volumes. No method takes more than 8
#: volumes at a time, so that every file has more blocks than one. The long file has 16 MiB as
#: int16 and 64 MiB as float64: what is read of memory is off by a fraction of a MiB at most.
SIZES = {
    "small": (1 << 16, 16),
    "wide": (1 << 18, 16),
    "middle": (1 << 16, 40),
    "long": (1 << 16, 128),
}

#: indexed_gzip keeps up to 16 MiB of a file unpacked. Methods that name it are measured on files
#: above that, with so many bytes; their volumes are those of the run.
BULKY = {"bulky": 24 * MIB, "bulkier": 48 * MIB}

#: The sizes that most methods are measured on; those that hand arrays to workers, which takes
#: long, and is the same for volumes of any size; those that read the file again for each volume;
#: and those that name indexed_gzip.
USUAL = ("small", "wide", "long")
HANDED_OVER = ("small", "long")
READ_AGAIN = ("small", "wide", "middle")
UNPACKED = tuple(BULKY)


@dataclass(frozen=True)
class Sized:
    """One of the files.

    Attributes
    ----------
    path : Path
        Where it is, if it was made.
    form : Form
        How it is written.
    voxels, volumes : int
        Voxels of a volume, and volumes.
    """

    path: Path
    form: Form
    voxels: int
    volumes: int

    @property
    def raw_bytes(self) -> int:
        """Number of voxels x bytes per voxel on disk, uncompressed."""
        return self.voxels * self.volumes * np.dtype(self.form.dtype).itemsize


def kind_of(dtype: str, slope: float, inter: float, compression: str) -> str:
    """Return the measured kind that comes nearest to a file, and needs no less to read all of it.

    Parameters
    ----------
    dtype : str
        Type of a voxel on disk.
    slope, inter : float
        What values are multiplied by, and what is added.
    compression : str
        ``"none"``, or the ending of a compressed file.

    Returns
    -------
    str
        For example ``"scaled_nii_gz"``.
    """
    voxel = np.dtype(dtype)
    whole, scaled = voxel.kind in "iu", (slope, inter) != (1, 0)
    large = voxel.itemsize > np.dtype("int16" if whole else "float32").itemsize
    # To read shifted values takes two arrays of float64: as much as any other kind.
    if inter != 0 or (large if whole else scaled):
        voxels = "shifted"
    elif scaled:
        voxels = "scaled"
    elif whole:
        voxels = "int16"
    else:
        voxels = "float64" if large else "float32"
    return f"{voxels}_{'nii' if compression == 'none' else 'nii_gz'}"


def files(data: Data, sizes: Sequence[str], ending: str = "") -> dict[str, Sized]:
    """Return the files that are measured on in the place of a run, by their names.

    Parameters
    ----------
    data : Data
        The run.
    sizes : sequence of str
        `USUAL`, `HANDED_OVER`, `READ_AGAIN` or `UNPACKED`.
    ending : str
        The ending that they must have, ``".nii"`` or ``".nii.gz"``; empty for both.

    Returns
    -------
    dict of Sized
        A name is that of a kind, and the size: ``"scaled_nii_gz_long"``.
    """
    return {
        f"{voxels}_{written}_{size}": _sized(data, voxels, written, size)
        for voxels in VOXELS
        for written in ENDINGS
        for size in sizes
        if not ending or ending == f".{written.replace('_', '.')}"
    }


def _sized(data: Data, voxels: str, ending: str, size: str) -> Sized:
    form, (x, y, z) = VOXELS[voxels], data.shape[:3]
    if size in BULKY:
        volumes = math.ceil(BULKY[size] / (x * y * z * np.dtype(form.dtype).itemsize))
    else:
        least, volumes = SIZES[size]
        z = math.ceil(least / (x * y))
    stem = f"{data.name.split('.')[0]}-{data.sha256[:8]}"
    path = cache_folder() / "sizes" / f"{stem}-{voxels}-{size}.{ending.replace('_', '.')}"
    return Sized(path, replace(form, slices=z, volumes=volumes), x * y * z, volumes)


def make(file: FmriFile, sized: Sized) -> Path:
    """Make one of the files, unless it is there.

    Raises
    ------
    DataError
        It cannot be written.
    """
    return made.once(sized.path, forms.converted(file, sized.form))
