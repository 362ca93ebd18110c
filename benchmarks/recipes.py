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

# A longer time between volumes is one in milliseconds, whatever the header says.
LONGEST_SECONDS = 100


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


def float32_header(img):
    """Return the header of an image, for values that are written as float32 behind it."""
    header = img.header.copy()
    header.set_data_dtype(np.float32)
    header.set_slope_inter(1, 0)
    header.set_data_offset(0)  # right behind the header, wherever that ends
    return header


def refuse_other_grid(mask, img):
    """Refuse a mask, or maps, that are not on the grid of an image."""
    if mask.shape[:3] != img.shape[:3] or not np.allclose(mask.affine, img.affine):
        raise ValueError(
            f"The mask is not on the grid of the image: the shapes are {mask.shape[:3]} and "
            f"{img.shape[:3]}, the affines {mask.affine.tolist()} and {img.affine.tolist()}. "
            "Resample it first: nilearn.image.resample_to_img(mask, img, interpolation='nearest')."
        )


def mask_voxels(mask, img):
    """Return the voxels of a mask, given as an image or its path; refuse one on another grid."""
    mask = mask if hasattr(mask, "dataobj") else nib.load(mask)
    refuse_other_grid(mask, img)
    return np.asanyarray(mask.dataobj).reshape(img.shape[:3]) != 0


def repetition_time(img, unknown=2.0):
    """Return the seconds between volumes as the header has them, or what is taken if it has none.

    Some headers have milliseconds, and say that these are seconds.
    """
    unit = {"msec": 1e-3, "usec": 1e-6}.get(img.header.get_xyzt_units()[1], 1.0)
    seconds = float(img.header.get_zooms()[3]) * unit
    return (seconds / 1000 if seconds > LONGEST_SECONDS else seconds) or unknown


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
