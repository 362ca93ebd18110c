"""Variants of the BOLD file, each made once and kept in the cache folder; copies by the worker."""

from __future__ import annotations

import math
import shutil
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import nibabel as nib
import numpy as np

from benchmarks.errors import DataError
from benchmarks.files import cache_folder
from benchmarks.units import MIB, format_bytes

from . import choose, generate
from .header import LEAST_VOLUMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from .image import Image

#: A short file ends after the volume that reaches this raw size; so what is measured on it
#: takes seconds and fits into memory, whatever the size of the file.
SHORT_BYTES = 16 * MIB

#: Converted files have so many voxels or few more: 32 MiB as int16, 128 MiB as float64. What
#: a library needs apart from the voxels, some MiB, is small beside that.
CONVERTED_VOXELS = 1 << 24

#: The intercept of the shifted variant, in steps of the scaling.
SHIFT_STEPS = 100

#: Methods that are given copies save a mean image of each as float64.
_SAVED_VOXEL_BYTES = 8


@dataclass(frozen=True)
class Variant:
    """One way to write the file."""

    #: What it is, for tables.
    title: str
    #: Whether it ends in .nii.gz or .nii; None for what the file has.
    compressed: bool | None
    #: Type of a voxel; empty for the voxels as they are in the file.
    dtype: str = ""
    #: Whether values have to be multiplied, and added to, when they are read.
    scaled: bool = False
    shifted: bool = False
    #: How often the short file is joined to itself.
    times: int = 1
    #: Of a converted file: how many volumes, 0 for as many as reach `CONVERTED_VOXELS`; how many
    #: slices of each, from the middle one on, 0 for all. If there are fewer, they begin again.
    volumes: int = 0
    slices: int = 0
    #: How many copies there are. They are made for each measurement, and removed.
    images: int = 1
    #: The variant that is copied.
    each: str = ""


def _pair(name: str, title: str, **choices: Any) -> dict[str, Variant]:
    return {
        f"{name}_nii": Variant(f"{title}, .nii", compressed=False, **choices),
        f"{name}_nii_gz": Variant(f"{title}, .nii.gz", compressed=True, **choices),
    }


#: Longer and longer files of the same volumes: how often, by name.
LONGER = {"x2": 2, "x4": 4, "x8": 8}

#: More and more images, each of them the short file: how many, by name.
MANY = {"images2": 2, "images4": 4}

#: By the name that pages and examples use.
VARIANTS = {
    "nii": Variant(".nii", compressed=False),
    "nii_gz": Variant(".nii.gz", compressed=True),
    "short": Variant("the first volumes", compressed=None),
    **{
        name: Variant(f"the first volumes, {n} times", None, times=n) for name, n in LONGER.items()
    },
    **{name: Variant(f"{n} short runs", None, images=n, each="short") for name, n in MANY.items()},
    "images4_x2": Variant("4 short runs, each twice as long", None, images=4, each="x2"),
    **_pair("int16", "int16", dtype="int16"),
    **_pair("scaled", "int16, scaled", dtype="int16", scaled=True),
    **_pair("shifted", "int16, scaled and shifted", dtype="int16", scaled=True, shifted=True),
    **_pair("float32", "float32", dtype="float32"),
}


def named(name: str) -> Variant:
    """Return a variant by its name; raises DataError if there is none."""
    if name not in VARIANTS:
        raise DataError(f"There is no form {name!r}; there are: {', '.join(VARIANTS)}.")
    return VARIANTS[name]


def find(image: Image, name: str) -> Image | None:
    """Return a variant of a file if it was made, else None; raises DataError as `of`."""
    variant = named(name)
    if _is_like(image, name):
        return image
    if variant.images > 1:
        each = find(image, variant.each)
        return each and each.copied(variant.images)
    path = _path(image, name)
    return choose.describe(path, image.reason) if path.exists() else None


def of(image: Image, name: str) -> Image:
    """Return a variant of a file; make it if need be.

    Parameters
    ----------
    image : Image
        What is measured on.
    name : str
        One of `VARIANTS`.

    Raises
    ------
    DataError
        There is no such variant, or it cannot be written.
    """
    if found := find(image, name):
        return found
    variant = VARIANTS[name]
    if variant.images > 1:
        return of(image, variant.each).copied(variant.images)
    if variant.times > 1:
        short = of(image, "short")
        write = generate.copied(short, short.volumes, variant.times)
    elif variant.dtype:
        write = converted(image, variant)
    else:
        volumes = _short_volumes(image) if name == "short" else image.volumes
        is_single = generate.is_single_nifti(image.path)
        write = (generate.copied if is_single else _rewritten)(image, volumes)
    return choose.describe(generate.once(_path(image, name), write), image.reason)


def check_room(image: Image) -> None:
    """Make sure that the folder of temporary files has room for copies; raises DataError."""
    if image.images == 1:
        return
    needed = image.file_bytes + image.images * image.voxels * _SAVED_VOXEL_BYTES
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{image.images} copies of {image.name} and their mean images need "
            f"{format_bytes(needed)}, and {folder} has {format_bytes(free)}. Make room, or set "
            "TMPDIR to another folder."
        )


def _path(image: Image, name: str) -> Path:
    compressed = VARIANTS[name].compressed
    ending = image.ending if compressed is None else ".nii.gz" if compressed else ".nii"
    return cache_folder() / f"{image.stem}-{image.sha256[:8]}-{name}{ending}"


def _is_like(image: Image, name: str) -> bool:
    """Tell whether the file itself is what is asked for."""
    if not generate.is_single_nifti(image.path):
        return False
    if name == "short":
        return _short_volumes(image) == image.volumes
    return (name, image.compression) in {("nii", "none"), ("nii_gz", "gz")}


def _short_volumes(image: Image) -> int:
    volumes = image.volumes
    return min(volumes, max(LEAST_VOLUMES, math.ceil(SHORT_BYTES * volumes / image.raw_bytes)))


def _rewritten(image: Image, volumes: int) -> Callable[[BinaryIO], None]:
    """Write the values of another format as nibabel reads them."""
    img: Any = nib.load(image.path)
    dtype = np.asanyarray(img.dataobj[..., 0]).dtype.newbyteorder("=")
    header = _header(img, dtype, (*image.shape[:3], volumes))

    def write(stream: BinaryIO) -> None:
        generate.write_header(stream, header)
        for values in _volumes(image, volumes):
            generate.write_volume(stream, values.astype(dtype))

    return write


def converted(image: Image, variant: Variant) -> Callable[[BinaryIO], None]:
    """Return what writes the first volumes with another type, the same values but for rounding."""
    img: Any = nib.load(image.path)
    *space, there = image.shape
    reaching = max(LEAST_VOLUMES, math.ceil(CONVERTED_VOXELS / math.prod(space)))
    volumes = variant.volumes or min(there, reaching)
    slices = variant.slices or space[2]
    shape = (*space[:2], slices, volumes)
    header = _header(img, np.dtype(variant.dtype), shape)

    def write(stream: BinaryIO) -> None:
        step = inter = None
        if variant.dtype == "int16":
            largest = max(float(np.abs(values).max()) for values in _volumes(image, volumes))
            step = (largest or 1.0) / (np.iinfo(np.int16).max - SHIFT_STEPS)
            inter = SHIFT_STEPS * step if variant.shifted else 0.0
            header.set_slope_inter(step if variant.scaled else 1.0, inter)
        generate.write_header(stream, header)
        taken = (space[2] // 2 + np.arange(slices)) % space[2] if variant.slices else slice(None)
        for values in _volumes(image, volumes):
            stored = values if step is None else np.rint((values - inter) / step)
            generate.write_volume(stream, stored.astype(variant.dtype)[..., taken])

    return write


def _header(img: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    header: Any = nib.Nifti1Header()  # type: ignore[no-untyped-call]
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_zooms(img.header.get_zooms()[:4])
    header.set_sform(img.affine, code="scanner")
    header.set_slope_inter(1, 0)
    return header


def _volumes(image: Image, count: int) -> Iterator[npt.NDArray[Any]]:
    """Read volume by volume; a compressed file stays open, so that it is unpacked once."""
    img: Any = nib.load(image.path, keep_file_open=True)
    for volume in range(count):
        yield np.nan_to_num(np.asanyarray(img.dataobj[..., volume % img.shape[3]]))
