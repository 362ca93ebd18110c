"""
Loading a 4D image
==================

How long does it take to load a BOLD run, and how much memory does it need?

That depends on what loading means. Opening a file gives a *proxy image*: it knows the
header, and it knows where the voxels are. Asking for the voxels reads them into an array.
This page does both, in the ways that nibabel and nilearn offer.

The chapter says what follows from it: :ref:`chapter_loading`.
"""

# sphinx_gallery_thumbnail_path = '_static/thumbnails/load.svg'

# %%
# Opening the file
# ----------------
# Both libraries open an image from its path. Neither of the two functions below reads a
# voxel yet, as the measurements at the end of the page show.
#
# nilearn's function also accepts an image, or a list of paths. It checks the input first.

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nilearn.image import load_img

from benchmarks.recipes import opened_image


def nibabel_load(fmri_path):
    """Open the image with nibabel."""
    return nib.load(fmri_path)


def nilearn_load_img(fmri_path):
    """Open the image with nilearn."""
    return load_img(fmri_path)


# %%
# Reading every voxel
# -------------------
# ``get_fdata`` reads the data and converts each value to a float of eight bytes. The image
# keeps the array, so that a second call is free.


def get_fdata(fmri_path):
    """Read the data as float64."""
    return nib.load(fmri_path).get_fdata()


# %%
# A float of four bytes holds about seven decimal digits. The array that stays is half as large.


def get_fdata_float32(fmri_path):
    """Read the data as float32.

    Values that need more than its seven digits are rounded. NaN stays NaN.
    """
    return nib.load(fmri_path).get_fdata(dtype=np.float32)


# %%
# The third way keeps the type that the file has. Only where the header asks for scaling are
# the values converted, because a scaled value is no whole number any more.


def native_dtype(fmri_path):
    """Read the data in the type of the file, scaled only if the header says so."""
    return np.asanyarray(nib.load(fmri_path).dataobj)


# %%
# One array and no second one
# ---------------------------
# The leanest way to have all values in memory is to make the array first, and to fill it volume
# by volume. ``opened_image`` opens the file for that, a .nii.gz with the package ``isal``, which
# unpacks it faster than Python itself, and closes it in the end. ``ArrayProxy`` gives the values
# as they are stored, and they are scaled on their way.
#
# Whole numbers of two bytes are exact as float32, and so are those of three. Larger ones, and
# floats of eight bytes, are rounded.


def one_array(fmri_path):
    """Fill one array of float32 with the scaled values, and make no other.

    It rounds float64, int32 and all else that needs more than the seven digits
    of float32. NaN stays NaN, as with ``get_fdata``.
    """
    with opened_image(fmri_path) as img:
        proxy, dtype = img.dataobj, img.get_data_dtype()
        slope, inter = np.float32(proxy.slope), np.float32(proxy.inter)
        stored = ArrayProxy(proxy.file_like, (img.shape, dtype, proxy.offset))
        data = np.empty(img.shape, np.float32, order="F")
        for volume in range(img.shape[3]):
            np.multiply(stored[..., volume], slope, out=data[..., volume])
            data[..., volume] += inter
    return data


# %%
# What it costs
# -------------
# Every method runs several times, in new Python processes. The table gives the time, the peak
# memory during the call, and the memory that is kept with the result.
#
# This is the run as a compressed file. The last column tells how far each way of reading is from
# what this machine could do at best.

OPENING = [nibabel_load, nilearn_load_img]
READING = [get_fdata, get_fdata_float32, native_dtype]
LEAN = [*OPENING, *READING, one_array]
RECOMMENDED = ["one_array", "get_fdata_float32"]
METHODS = LEAN

if __name__ == "__main__":
    from benchmarks import compare

    print(compare(LEAN, form="nii_gz"))

# %%
# And the run as a plain file. A way that takes less than the least possible has mapped the file,
# and reads it when the values are used.

if __name__ == "__main__":
    print(compare(LEAN, form="nii"))

# %%
# Now the file as it is. Opening takes next to no time. Reading is where the time goes.

if __name__ == "__main__":
    comparison = compare([*OPENING, *READING])
    comparison.plot_time()

# %%
# The peak can be larger than the array that is returned. While values are converted, the
# old array and the new one are both in memory.

if __name__ == "__main__":
    comparison.plot_memory()
