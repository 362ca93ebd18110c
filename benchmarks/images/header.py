"""What the header of a NIfTI file says, checked before it is believed; no voxel is read."""

from __future__ import annotations

import gzip
import math
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
from nibabel.openers import ImageOpener

from benchmarks.errors import DataError

from .image import Image

if TYPE_CHECKING:
    import os

    import numpy as np

FOUR_DIMENSIONS = 4

#: The chapter takes the fourth volume out of a run.
LEAST_VOLUMES = 4

#: Endings of compressed files, and the first bytes of what they compress with.
COMPRESSED = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".zst": b"\x28\xb5\x2f\xfd"}

#: No .gz file unpacks to more than this many times its size (zlib, deflate's limit of 1032).
MOST_DEFLATED = 1040

#: Extensions of a header are some KiB; more than this before the voxels is a mistake.
MOST_OFFSET_BYTES = 1 << 24

#: What a file is read as, by its header.
_KINDS: dict[type, Any] = {
    nib.Nifti1Header: nib.Nifti1Image,
    nib.Nifti2Header: nib.Nifti2Image,
}

_FETCH = "Fetch or convert the file again."
_GIVE = "Give the path of a 4D image, for example a BOLD run."

#: First bytes of files that are taken for images, and what they are.
_OTHERS = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the image", "Run: git lfs pull."),
    (
        b"/annex/objects/",
        "is a git-annex pointer, not the image",
        "Run: git annex get, with its path.",
    ),
    (b"\x89HDF", "is an HDF5 file, as MINC 2 is", "Convert it to NIfTI, with mnc2nii."),
    (b"CDF\x01", "is a MINC file", "Convert it to NIfTI, with mnc2nii."),
    (b"CDF\x02", "is a MINC file", "Convert it to NIfTI, with mnc2nii."),
    (b"PK\x03\x04", "is a zip archive", "Unpack it first."),
)


def read(fmri_path: str | os.PathLike[str]) -> Image:
    """Read the header of a 4D image, and refuse one that cannot be true.

    Parameters
    ----------
    fmri_path : path
        A NIfTI file, or an image of another format that nibabel opens.

    Returns
    -------
    Image
        Without its digest. That the voxels can be read is the concern of `choose.check`.

    Raises
    ------
    DataError
        What is wrong, with which file, and what to do.
    """
    path = Path(fmri_path).expanduser().absolute()
    file_bytes = _size_bytes(path)
    _refuse_others(path, file_bytes)
    stored = _stored(path)
    img = _opened(path, stored)
    shape, dtype = tuple(int(n) for n in img.shape), img.get_data_dtype()
    _check_type(path, shape, dtype)
    slope, inter, remark = _scaling(path, img, stored)
    image = Image(
        path=path,
        shape=shape,
        dtype=str(dtype),
        slope=slope,
        inter=inter,
        compression=path.suffix[1:] if path.suffix in COMPRESSED else "none",
        file_bytes=file_bytes,
        offset=int(getattr(img.dataobj, "offset", 0)),
        remark=remark,
    )
    if stored is not None:
        _check_size(image)
    return image


def _opened(path: Path, stored: Any) -> Any:
    try:
        if stored is not None and path.suffix == ".gz":
            with _stream(path) as stream:
                img: Any = _KINDS[type(stored)].from_stream(stream)
        else:
            img = nib.load(path)
        _ = img.shape, img.get_data_dtype()
    except Exception as error:  # a broken header ends nibabel in many ways
        raise DataError(
            f"{path} cannot be opened as an image: {_sentence(error)}. {_FETCH}"
        ) from error
    return img


def _size_bytes(path: Path) -> int:
    """Return the size of a file that can be read."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise DataError(f"{path} is a folder. {_GIVE}")
        if not stat.S_ISREG(found.st_mode):  # to open a pipe would wait for its other end
            raise DataError(f"{path} is no ordinary file. {_GIVE}")
        with path.open("rb"):
            return found.st_size
    except PermissionError as error:
        raise DataError(f"{path} may not be read by you. Ask for the permission.") from error
    except FileNotFoundError as error:
        if path.is_symlink() and "annex/objects" in str(path.readlink()):
            raise DataError(
                f"{path} is a link to a file that git-annex has not fetched. Run: git annex get, "
                "with its path."
            ) from error
        raise DataError(f"{path} does not exist. {_GIVE}") from error
    except (OSError, ValueError) as error:  # a name with a null byte, a loop of links, a device
        raise DataError(f"{path} cannot be opened: {error}. {_GIVE}") from error


def _refuse_others(path: Path, file_bytes: int) -> None:
    """Refuse what the first bytes tell to be no image, or not what its name says."""
    if not file_bytes:
        raise DataError(f"{path} is empty. {_FETCH}")
    with path.open("rb") as file:
        start = file.read(max(len(first) for first, _, _ in _OTHERS))
    for first, what, advice in _OTHERS:
        if start.startswith(first):
            raise DataError(f"{path} {what}. {advice}")
    expected = COMPRESSED.get(path.suffix)
    if expected and not start.startswith(expected):
        raise DataError(
            f"{path} is not compressed, but its name ends in {path.suffix}. If it is an image, "
            f"remove {path.suffix} from its name; else fetch it again."
        )
    for ending, first in COMPRESSED.items():
        if path.suffix == ".nii" and start.startswith(first):
            raise DataError(
                f"{path} is compressed, and its name does not say so. Add {ending} to it."
            )


def _stored(path: Path) -> Any:
    """Return a NIfTI file's header, or None; refuses an absurd offset: nibabel reads to it."""
    try:
        with _stream(path) as stream:
            block = stream.read(nib.Nifti2Header.sizeof_hdr)
    except Exception as error:  # what a compressed stream can do depends on who unpacks it
        raise DataError(f"{path} is damaged at its start: {_sentence(error)}. {_FETCH}") from error
    for kind, magic, at in ((nib.Nifti1Header, b"n+1", 344), (nib.Nifti2Header, b"n+2", 4)):
        if block[at : at + 3] == magic and len(block) >= kind.sizeof_hdr:
            header: Any = kind(block[: kind.sizeof_hdr], check=False)  # type: ignore[no-untyped-call]
            _check_dimensions(path, header)
            offset = float(header["vox_offset"])
            if not kind.single_vox_offset <= offset <= MOST_OFFSET_BYTES:
                raise DataError(
                    f"{path} says that its voxels begin at byte {offset:g}, which is "
                    f"{'inside its header' if offset < MOST_OFFSET_BYTES else 'absurd'}. {_FETCH}"
                )
            return header
    return None


def _stream(path: Path) -> Any:
    """Open a file, to be unpacked as it is read: of a .gz, nibabel may unpack a MiB at once."""
    return gzip.open(path) if path.suffix == ".gz" else ImageOpener(str(path))


def _check_dimensions(path: Path, header: Any) -> None:
    if not 1 <= int(header["dim"][0]) < len(header["dim"]):
        raise DataError(f"{path} has an absurd number of dimensions. {_FETCH}")


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _check_type(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if len(shape) != FOUR_DIMENSIONS or shape[-1] < LEAST_VOLUMES or min(shape) < 1:
        raise DataError(
            f"{path} has the shape {shape}. What is measured needs a 4D image with at least "
            f"{LEAST_VOLUMES} volumes, such as a BOLD run."
        )
    if dtype.kind not in "iuf":
        kind = {"c": "complex numbers", "V": "colours"}.get(dtype.kind, "no numbers")
        raise DataError(
            f"{path} holds {kind} ({dtype}); real numbers are needed. Convert it, for example to "
            "its magnitude."
        )


def _scaling(path: Path, img: Any, stored: Any) -> tuple[float, float, str]:
    """Return slope and intercept as they are applied, and a remark if they are left open."""
    proxy = img.dataobj
    slope, inter = float(getattr(proxy, "slope", 1)), float(getattr(proxy, "inter", 0))
    written = slope if stored is None else float(stored["scl_slope"])
    if math.isinf(written) or not math.isfinite(slope) or not math.isfinite(inter):
        raise DataError(
            f"{path} has the slope {written:g} and the intercept {inter:g}, so that its values "
            "mean nothing. Convert it again."
        )
    if written and not math.isnan(written):
        return slope, inter, ""
    remark = (
        f"The header leaves the slope open ({written:g}): values are taken as they are stored, as "
        "NIfTI says. Some programs multiply by it; write 1 to be safe."
    )
    return slope, inter, remark


def _check_size(image: Image) -> None:
    """Compare what the header promises with the size of the file, as far as that can tell."""
    needed, there = image.offset + image.raw_bytes, image.file_bytes
    at_most = ""
    if image.compression == "gz":
        there, at_most = there * MOST_DEFLATED, "at most "
    elif image.compression != "none":
        return
    if there < needed:
        raise DataError(
            f"{image.path} is cut off: its header promises {needed} bytes and there are "
            f"{at_most}{there}. {_FETCH}"
        )
