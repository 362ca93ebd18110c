"""Small files of every kind: they tell apart what grows with a volume, and with their number."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.files import cache_folder
from benchmarks.images import generate, variants
from benchmarks.images.image import Image
from benchmarks.images.variants import Variant
from benchmarks.units import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: By the name of a kind of voxels: their type, and whether they are scaled and shifted.
VOXELS = {
    "int16": Variant("int16", None, "int16"),
    "scaled": Variant("int16, scaled", None, "int16", scaled=True),
    "shifted": Variant("int16, scaled and shifted", None, "int16", scaled=True, shifted=True),
    "float32": Variant("float32", None, "float32"),
    "float64": Variant("float64", None, "float64"),
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

#: Files that no fit has seen, to prove predictions on: by kind, slices of a volume, and volumes.
#: Both are others than in any file above; with slices of a usual size, each has some tens of MiB.
UNSEEN = {
    "int16_nii": (29, 101),
    "scaled_nii_gz": (31, 97),
    "shifted_nii": (23, 89),
    "float32_nii_gz": (27, 73),
    "float64_nii": (13, 67),
}
_UNSEEN = "unseen"

#: All kinds that are measured.
KINDS = tuple(f"{voxels}_{ending}" for voxels in VOXELS for ending in ENDINGS)

#: How many processes or threads share the work of a method that has some.
WORKERS = 2


def kind_of(dtype: str, slope: float, inter: float, compression: str) -> str:
    """Return the nearest measured kind that needs no less to be read, as ``scaled_nii_gz``."""
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


def kind(image: Image) -> str:
    """Return the nearest measured kind of a file."""
    return kind_of(image.dtype, image.slope, image.inter, image.compression)


def workers(names: Iterable[str]) -> int:
    """Tell how many share the work of a method, by the names of the files it was measured on."""
    sizes = {name.rpartition("_")[2] for name in names}
    return WORKERS if sizes == set(HANDED_OVER) else 1


def planned(
    image: Image, sizes: Sequence[str], ending: str = "", kinds: Sequence[str] = KINDS
) -> dict[str, Image]:
    """Return the small files to make of an image, by kind and size, as ``scaled_nii_gz_long``."""
    return {
        f"{kind}_{size}": _planned(image, voxels, written, size)
        for kind in kinds
        for voxels, _, written in (kind.partition("_"),)
        for size in sizes
        if not ending or ending == f".{written.replace('_', '.')}"
    }


def unseen(image: Image, ending: str = "") -> dict[str, Image]:
    """Return the files to prove predictions on, by kind, as ``scaled_nii_gz_unseen``."""
    found = {}
    for kind in UNSEEN:
        voxels, _, written = kind.partition("_")
        if not ending or ending == f".{written.replace('_', '.')}":
            found[f"{kind}_{_UNSEEN}"] = _planned(image, voxels, written, _UNSEEN)
    return found


def _planned(image: Image, voxels: str, ending: str, size: str) -> Image:
    dtype, (x, y, z) = VOXELS[voxels].dtype, image.shape[:3]
    if size == _UNSEEN:
        z, volumes = UNSEEN[f"{voxels}_{ending}"]
    elif size in BULKY:
        volumes = math.ceil(BULKY[size] / (image.voxels * np.dtype(dtype).itemsize))
    else:
        least, volumes = SIZES[size]
        z = math.ceil(least / (x * y))
    stem = f"{image.stem}-{image.sha256[:8]}"
    # What a size is may change from one version of this project to the next.
    name = f"{stem}-{voxels}-{size}-{z}x{volumes}.{ending.replace('_', '.')}"
    path = cache_folder() / "sizes" / name
    kind = VOXELS[voxels]
    return Image(
        path,
        (x, y, z, volumes),
        dtype,
        slope=2.0 if kind.scaled else 1.0,
        inter=1.0 if kind.shifted else 0.0,
        compression="none" if ending == "nii" else "gz",
    )


def make(image: Image, wanted: Mapping[str, Image]) -> None:
    """Make those files that are not there, of the first volumes; raises DataError if it cannot."""
    for name, small in wanted.items():
        kind = VOXELS[name.partition("_")[0]]
        variant = replace(kind, slices=small.shape[2], volumes=small.volumes)
        generate.once(small.path, variants.converted(image, variant))
