"""What methods of the examples share: short functions that are copied along with a method."""

import contextlib
import hashlib
import os
import tempfile
from importlib import import_module
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip

# If volumes are nearer or farther apart than this, the header has a wrong unit.
PLAUSIBLE_SECONDS = (0.05, 100)


@contextlib.contextmanager
def opened_image(path):
    """Open a NIfTI image on the fastest stream there is, and close it in the end."""
    opened = igzip.open if str(path).endswith(".gz") else open
    with opened(path, "rb") as stream:
        yield nib.load(path).from_stream(stream)


@contextlib.contextmanager
def whole_file(path):
    """Give a path to write to; the file is moved to the path asked for once it is complete."""
    path = Path(path)
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=path.parent) as folder:
        unfinished = Path(folder, path.name)
        yield unfinished
        os.replace(unfinished, path)


def opened_to_write(path):
    """Open a new file, which is packed if its name ends in .gz."""
    if str(path).endswith(".gz"):
        return igzip.open(path, "wb", compresslevel=1)
    return open(path, "wb")


def float32_header(img):
    """Return the header of an image, for new values that are written as float32 behind it."""
    header = img.header.copy()
    header.set_data_dtype(np.float32)
    header.set_slope_inter(1, 0)
    header.set_data_offset(0)  # right behind the header, wherever that ends
    header["cal_min"] = header["cal_max"] = 0  # the range to display was that of the old values
    return header


def refuse_other_grid(other, img, name="mask", interpolation="nearest"):
    """Refuse a mask, or maps, on a grid that is not that of an image."""
    near = np.allclose(other.affine, img.affine, atol=1e-4)  # mm, as headers differ
    if other.shape[:3] != img.shape[:3] or not near:
        raise ValueError(
            f"{name.capitalize()} not on the grid of the image: the shapes are {other.shape[:3]} "
            f"and {img.shape[:3]}, the affines {other.affine.tolist()} and {img.affine.tolist()}. "
            f"Resample first: nilearn.image.resample_to_img({name}, img, "
            f"interpolation={interpolation!r})."
        )


def mask_voxels(mask, img):
    """Return which voxels are in a mask, an image or its path; NaN is outside.

    A mask that is empty or on another grid is refused.
    """
    mask = mask if hasattr(mask, "dataobj") else nib.load(mask)
    refuse_other_grid(mask, img)
    inside = np.nan_to_num(np.asanyarray(mask.dataobj)).reshape(img.shape[:3]) != 0
    if not inside.any():
        raise ValueError("The mask is empty: it has no voxel other than 0.")
    return inside


def repetition_time(img, unknown=2.0):
    """Return the seconds between volumes, or what is taken where the header does not tell.

    Some headers have milliseconds and say that these are seconds, or the other way
    round: then the unit that makes sense is taken.
    """
    said = {"msec": 1e-3, "usec": 1e-6}.get(img.header.get_xyzt_units()[1], 1.0)
    shortest, longest = PLAUSIBLE_SECONDS
    found = (float(img.header.get_zooms()[3]) * unit for unit in (said, 1.0, 1e-3))
    return next((seconds for seconds in found if shortest <= seconds <= longest), unknown)


def imported(name):
    """Import a module, and return its name: what a worker has to do first."""
    return import_module(name).__name__


def file_key(path):
    """Name a file as it is now: by its path, its size, and the time of its last change."""
    path = os.path.realpath(path)
    state = os.stat(path)
    text = os.fsencode(f"{path} {state.st_size} {state.st_mtime_ns}")
    stem = os.path.basename(path).partition(".")[0]
    return f"{stem}-{hashlib.sha256(text).hexdigest()[:16]}"
