"""The same run in other files: plain or compressed, short, or with other types of voxels.

Each is made once from the file that is measured on, and kept in the cache folder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import nibabel as nib
import numpy as np

from . import copies, data, headers, made, reference
from .errors import DataError
from .folders import cache_folder
from .units import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from .data import FmriFile

#: A short run ends after the volume that reaches this raw size; so what is measured on it
#: takes seconds and fits into memory, whatever the size of the file.
SHORT_BYTES = 16 * MIB

#: Converted runs have so many voxels or few more: 32 MiB as int16, 128 MiB as float64. What
#: a library needs apart from the voxels, some MiB, is small beside that.
CONVERTED_VOXELS = 1 << 24

#: The intercept of the shifted form, in steps of the scaling.
SHIFT_STEPS = 100


@dataclass(frozen=True)
class Form:
    """One way to write the run.

    Attributes
    ----------
    title : str
        What it is, for tables.
    compressed : bool or None
        Whether it ends in .nii.gz or .nii; None for what the file has.
    dtype : str
        Type of a voxel; empty for the voxels as they are in the file.
    scaled, shifted : bool
        Whether values have to be multiplied, and added to, when they are read.
    times : int
        How often the short run is joined to itself.
    volumes, slices : int
        Of a converted run: how many volumes, 0 for as many as reach `CONVERTED_VOXELS`; how many
        slices of each, from the middle one on, 0 for all. If there are fewer, they begin again.
    images : int
        How many copies of the run there are. They are made for each measurement, and removed.
    each : str
        The form that is copied.
    """

    title: str
    compressed: bool | None
    dtype: str = ""
    scaled: bool = False
    shifted: bool = False
    times: int = 1
    volumes: int = 0
    slices: int = 0
    images: int = 1
    each: str = ""


def _pair(name: str, title: str, **choices: Any) -> dict[str, Form]:
    return {
        f"{name}_nii": Form(f"{title}, .nii", compressed=False, **choices),
        f"{name}_nii_gz": Form(f"{title}, .nii.gz", compressed=True, **choices),
    }


#: Longer and longer files of the same volumes: how often, by name.
LONGER = {"x2": 2, "x4": 4, "x8": 8}

#: More and more images, each of them the short run: how many, by name.
MANY = {"images2": 2, "images4": 4, "images8": 8}

#: By the name that pages and examples use.
FORMS = {
    "nii": Form(".nii", compressed=False),
    "nii_gz": Form(".nii.gz", compressed=True),
    "short": Form("the first volumes", compressed=None),
    **{name: Form(f"the first volumes, {n} times", None, times=n) for name, n in LONGER.items()},
    **{name: Form(f"{n} short runs", None, images=n, each="short") for name, n in MANY.items()},
    "images4_x2": Form("4 short runs, each twice as long", None, images=4, each="x2"),
    **_pair("int16", "int16", dtype="int16"),
    **_pair("scaled", "int16, scaled", dtype="int16", scaled=True),
    **_pair("shifted", "int16, scaled and shifted", dtype="int16", scaled=True, shifted=True),
    **_pair("float32", "float32", dtype="float32"),
}


def find(file: FmriFile, name: str) -> FmriFile | None:
    """Return the run as another file if it was made, else None.

    Parameters
    ----------
    file : FmriFile
        What is measured on.
    name : str
        One of `FORMS`, or empty for the file itself.

    Raises
    ------
    DataError
        There is no such form.
    """
    if not name:
        return file
    if name not in FORMS:
        raise DataError(f"There is no form {name!r}; there are: {', '.join(FORMS)}.")
    if reference.holds(file):
        return reference.file(name)
    if _is_like(file, name):
        return file
    if FORMS[name].images > 1:
        each = find(file, FORMS[name].each)
        return each and copies.several(each, FORMS[name].images)
    path = _path(file, name)
    return data.describe(path, file.data.reason) if path.exists() else None


def of(file: FmriFile, name: str) -> FmriFile:
    """Return the run as another file; make it if need be.

    Parameters and return value are those of `find`.

    Raises
    ------
    DataError
        There is no such form, or it cannot be written.
    """
    if found := find(file, name):
        return found
    if reference.holds(file):
        raise DataError(f"The form {name} is not among the reference results. {reference.ADVICE}")
    form = FORMS[name]
    if form.images > 1:
        return copies.several(of(file, form.each), form.images)
    if form.times > 1:
        short = of(file, "short")
        write = made.copied(short.path, short.data, short.data.shape[3], form.times)
        return data.describe(made.once(_path(file, name), write), file.data.reason)
    volumes = _short_volumes(file) if name == "short" else file.data.shape[3]
    if form.dtype:
        write = converted(file, form)
    elif made.is_single_nifti(file.path):
        write = made.copied(file.path, file.data, volumes)
    else:
        write = _rewritten(file, volumes)
    return data.describe(made.once(_path(file, name), write), file.data.reason)


def _path(file: FmriFile, name: str) -> Path:
    compressed = FORMS[name].compressed
    if compressed is None:
        compressed = file.data.compression != "none"
    stem = file.data.name.split(".")[0]
    ending = ".nii.gz" if compressed else ".nii"
    return cache_folder() / f"{stem}-{file.data.sha256[:8]}-{name}{ending}"


def _is_like(file: FmriFile, name: str) -> bool:
    """Tell whether the file itself is what is asked for."""
    if not made.is_single_nifti(file.path):
        return False
    if name == "short":
        return _short_volumes(file) == file.data.shape[3]
    return (name, file.data.compression) in {("nii", "none"), ("nii_gz", "gz")}


def _short_volumes(file: FmriFile) -> int:
    volumes = file.data.shape[3]
    return min(
        volumes, max(headers.LEAST_VOLUMES, math.ceil(SHORT_BYTES * volumes / file.data.raw_bytes))
    )


def _rewritten(file: FmriFile, volumes: int) -> Callable[[BinaryIO], None]:
    """Write the values of another format as nibabel reads them."""
    img: Any = nib.load(file.path)
    dtype = np.asanyarray(img.dataobj[..., 0]).dtype.newbyteorder("=")
    header = _header(img, dtype, (*file.data.shape[:3], volumes))

    def write(stream: BinaryIO) -> None:
        made.write_header(stream, header)
        for values in _volumes(file, volumes):
            made.write_volume(stream, values.astype(dtype))

    return write


def converted(file: FmriFile, form: Form) -> Callable[[BinaryIO], None]:
    """Return what writes the first volumes with another type, the same values but for rounding.

    Parameters
    ----------
    file : FmriFile
        What is measured on.
    form : Form
        With a type.

    Returns
    -------
    callable
        Writes header and voxels to the stream that it is given.
    """
    img: Any = nib.load(file.path)
    *space, there = file.data.shape
    reaching = max(headers.LEAST_VOLUMES, math.ceil(CONVERTED_VOXELS / math.prod(space)))
    volumes = form.volumes or min(there, reaching)
    slices = form.slices or space[2]
    shape = (*space[:2], slices, volumes)
    header = _header(img, np.dtype(form.dtype), shape)

    def write(stream: BinaryIO) -> None:
        step = inter = None
        if form.dtype == "int16":
            largest = max(float(np.abs(values).max()) for values in _volumes(file, volumes))
            step = (largest or 1.0) / (np.iinfo(np.int16).max - SHIFT_STEPS)
            inter = SHIFT_STEPS * step if form.shifted else 0.0
            header.set_slope_inter(step if form.scaled else 1.0, inter)
        made.write_header(stream, header)
        taken = (space[2] // 2 + np.arange(slices)) % space[2] if form.slices else slice(None)
        for values in _volumes(file, volumes):
            stored = values if step is None else np.rint((values - inter) / step)
            made.write_volume(stream, stored.astype(form.dtype)[..., taken])

    return write


def _header(img: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    header: Any = nib.Nifti1Header()  # type: ignore[no-untyped-call]
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_zooms(img.header.get_zooms()[:4])
    header.set_sform(img.affine, code="scanner")
    header.set_slope_inter(1, 0)
    return header


def _volumes(file: FmriFile, count: int) -> Iterator[npt.NDArray[Any]]:
    """Read volume by volume; a compressed file stays open, so that it is unpacked once."""
    img: Any = nib.load(file.path, keep_file_open=True)
    for volume in range(count):
        yield np.nan_to_num(np.asanyarray(img.dataobj[..., volume % img.shape[3]]))
