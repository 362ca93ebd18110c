"""Data files that are made here, written once to the cache folder: longer runs."""

from __future__ import annotations

import contextlib
import functools
import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import nibabel as nib
import numpy as np
from nibabel.openers import ImageOpener

from benchmarks.errors import DataError
from benchmarks.files import cache_folder, written_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from .image import Image

VOLUMES = 150
SEED = 20260101

#: Standard deviation over time as a fraction of the signal, and the correlation of one
#: volume's noise with the next: typical of EPI at 3 T and a repetition time of 2 s
#: (Krueger and Glover 2001, doi:10.1002/mrm.1240, temporal SNR of about 60 to 100;
#: Woolrich et al. 2001, doi:10.1006/nimg.2001.0931, AR(1) of 0.2 to 0.4).
NOISE_FRACTION = 0.015
AUTOCORRELATION = 0.3

#: Level 1 is several times faster to write than the usual 6 or 9 and inflates as fast.
GZIP_LEVEL = 1
_CHUNK_BYTES = 1 << 20

#: Part of the file's name, so that a copy with an older header is not taken for it.
_HEADER = "slope-1"


def example4d() -> Path:
    """Return nibabel's EPI scan with noise, 128 x 96 x 24 x 150, int16, .nii.gz beside a .nii."""
    compressed = cache_folder() / f"example4d-{VOLUMES}-volumes-{_HEADER}.nii.gz"
    plain = compressed.with_suffix("")
    if compressed.exists() and plain.exists():
        return compressed
    source: Any = nib.load(Path(nib.__file__).parent / "tests" / "data" / "example4d.nii.gz")
    header = source.header.copy()
    header.set_data_shape((*source.shape[:3], VOLUMES))
    header.set_slope_inter(1, 0)  # some programs multiply by what nibabel leaves open
    noise = np.random.default_rng(SEED)
    mean = source.get_fdata(dtype=np.float32).mean(axis=-1)

    def write(stream: BinaryIO) -> None:
        write_header(stream, header)
        drift = np.zeros_like(mean)
        for _ in range(VOLUMES):
            fresh = noise.standard_normal(mean.shape, dtype=np.float32)
            drift = AUTOCORRELATION * drift + np.sqrt(1 - AUTOCORRELATION**2) * fresh
            volume = np.rint(mean * (1 + NOISE_FRACTION * drift))
            write_volume(stream, volume.clip(0, np.iinfo(np.int16).max).astype("<i2"))

    once(plain, write)
    once(compressed, lambda stream: _copy(plain, stream))
    return compressed


def joined(image: Image, times: int, check: Callable[[Image], None]) -> Path:
    """Return a run joined to itself so often, once `check` has found it whole.

    Raises DataError if it is damaged, or no single NIfTI file.
    """
    ending = ".nii.gz" if image.compression == "gz" else ".nii"
    path = cache_folder() / f"{image.stem}-x{times}-{image.sha256[:8]}{ending}"
    if path.exists():
        return path
    check(image)  # what is joined has a checksum of its own, and would pass for whole
    if not is_single_nifti(image.path):
        raise DataError(f"{image.path} cannot be joined to itself: CONCAT= needs a NIfTI file.")
    return once(path, copied(image, image.volumes, times))


def is_single_nifti(path: Path) -> bool:
    """Tell whether header and voxels are in one NIfTI file."""
    return _is_single_nifti(path, path.stat().st_mtime_ns)


@functools.cache
def _is_single_nifti(path: Path, _mtime_ns: int) -> bool:
    img: Any = nib.load(path)
    return hasattr(img.header, "single_magic") and img.file_map.keys() == {"image"}


def copied(image: Image, volumes: int, times: int = 1) -> Callable[[BinaryIO], None]:
    """Return what writes the first volumes to a stream, as they are on disk, so many times."""
    img: Any = nib.load(image.path)
    header = img.header.copy()
    header.set_data_shape((*image.shape[:3], volumes * times))
    # nibabel moves the scaling from the header to the proxy when it loads an image.
    header.set_slope_inter(img.dataobj.slope, img.dataobj.inter)
    size_bytes = image.raw_bytes // image.volumes * volumes

    def write(stream: BinaryIO) -> None:
        write_header(stream, header)
        for _ in range(times):
            _copy(image.path, stream, img.dataobj.offset, size_bytes)

    return write


def write_header(stream: BinaryIO, header: Any) -> None:
    """Write a NIfTI header for a single file, up to where the voxels begin."""
    header.set_data_offset(header.single_vox_offset)
    header["magic"] = header.single_magic
    header.extensions.clear()
    header.write_to(stream)


def write_volume(stream: BinaryIO, volume: npt.NDArray[Any]) -> None:
    """Write the voxels of one volume, in the order of the format."""
    stream.write(volume.tobytes(order="F"))


def _copy(path: Path, stream: BinaryIO, offset: int = 0, size_bytes: int = -1) -> None:
    with contextlib.closing(ImageOpener(str(path))) as source:
        source.seek(offset)
        left = size_bytes
        while chunk := source.read(_CHUNK_BYTES if left < 0 else min(left, _CHUNK_BYTES)):
            stream.write(chunk)
            left -= len(chunk) if left >= 0 else 0


def once(path: Path, write: Callable[[BinaryIO], None]) -> Path:
    """Write a file if it is not there, packed if .gz, whole or not at all; raises DataError."""
    if path.exists():
        return path
    try:
        with written_whole(path) as file:
            if path.suffix == ".gz":
                # No name and no time inside, so that the same data have the same digest.
                with gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as stream:
                    write(cast("BinaryIO", stream))
            else:
                write(file)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}. Make room, or name another "
            "folder in FMRI_BENCH_CACHE."
        ) from error
    return path
