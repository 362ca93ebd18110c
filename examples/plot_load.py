"""
Loading a 4D image
==================

How long does it take to load a BOLD run, and how much memory does it need?

That depends on what loading means. Opening a file gives a *proxy image*, which knows the header,
and where the voxels are. Asking for the voxels reads them into an array. This page does both, with
what nibabel and nilearn offer.

The chapter says what follows from it: :ref:`chapter_loading`.
"""

# %%
# Opening the file
# ----------------
# Both libraries open an image from its path. Neither of the functions below reads a voxel yet, as
# the measurements at the end of the page show. nilearn's function also accepts an image, or a list
# of paths, and checks its input first.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/load.svg'

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
# ``get_fdata`` reads the data and converts each value to float64. The image keeps the array, so
# that a second call is free.


def get_fdata(fmri_path):
    """Read the data as float64."""
    return nib.load(fmri_path).get_fdata()


# %%
# A value of float32 holds about seven decimal digits, and the array that stays is half as large.


def get_fdata_float32(fmri_path):
    """Read the data as float32.

    Values that need more than its seven digits are rounded. NaN stays NaN.
    """
    return nib.load(fmri_path).get_fdata(dtype=np.float32)


# %%
# A third method keeps the type that the file has. The values are converted only where the header
# asks for scaling, because a scaled value is no longer a whole number.


def native_dtype(fmri_path):
    """Read the data in the type of the file, scaled only if the header says so."""
    return np.asanyarray(nib.load(fmri_path).dataobj)


# %%
# One array and no second one
# ---------------------------
# The leanest way to have all values in memory is to make the array first, and to fill it volume by
# volume. ``opened_image`` opens the file for that, and closes it at the end; it unpacks a .nii.gz
# with the package ``isal``, which is faster than Python's own ``gzip``. ``ArrayProxy`` returns the
# values as they are stored, and they are scaled as they are put into the array.
#
# As float32, whole numbers of up to three bytes are exact. Larger ones are rounded, and so is
# float64.


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
# Every method is called several times, in new Python processes. The table has the time, the peak
# memory during the call, and the memory that is kept with the result. The last column tells how
# far each method is from the best that this machine could do.
#
# First comes the run as a compressed file.

OPENING = [nibabel_load, nilearn_load_img]
READING = [get_fdata, get_fdata_float32, native_dtype]
LEAN = [*OPENING, *READING, one_array]
RECOMMENDED = ["one_array", "get_fdata_float32"]
METHODS = LEAN

if __name__ == "__main__":
    from benchmarks import compare

    print(compare(LEAN, form="nii_gz"))

# %%
# Now the run as a plain file. A method that takes less than the least possible has mapped the
# file, and reads it only when the values are used.

if __name__ == "__main__":
    print(compare(LEAN, form="nii"))

# %%
# And the file as it is. Opening takes next to no time; reading is where the time goes.

if __name__ == "__main__":
    comparison = compare([*OPENING, *READING])
    comparison.plot_time()

# %%
# The peak can be larger than the array that is returned: while values are converted, the old array
# and the new one are both in memory.

if __name__ == "__main__":
    comparison.plot_memory()
