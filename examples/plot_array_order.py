"""
The order of an array
=====================

Reading the run takes a moment, but turning it into an array takes long. Why?

An array of four axes lies in memory as one long row of numbers. In *F order*, neighbours along the
first axis lie next to each other, so that a volume is in one piece. In *C order*, neighbours along
the last axis do, so that the time series of a voxel is in one piece. NIfTI files are in F order,
and nibabel returns arrays in that order. Many programs want C order, the default of NumPy and
PyTorch. Going from one to the other moves every number, and numbers that were neighbours end up
far apart.

A loader for deep learning that asked for C order spent most of its time on that, until it `asked
for the order of the file instead <https://github.com/Project-MONAI/MONAI/pull/8825>`__.

The chapter says what follows from it: :ref:`chapter_array_order`.
"""

# %%
# In the order of the file
# ------------------------
# ``get_fdata`` returns float64; ``np.asanyarray`` of ``dataobj`` returns the type of the file if
# that has no scaling. Both keep the order of the file. A plain file without scaling is only mapped
# by the second, so that nothing is read yet.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/array_order.svg'

import nibabel as nib
import numpy as np

from benchmarks.recipes import opened_image


def fdata(fmri_path):
    """Read the run with get_fdata."""
    return nib.load(fmri_path).get_fdata()


def file_order(fmri_path):
    """Read the run as an array in the order of the file."""
    return np.asanyarray(nib.load(fmri_path).dataobj)


# %%
# In C order
# ----------
# With ``order="C"``, NumPy copies the array that nibabel has read into another one.


def c_order(fmri_path):
    """Read the run, and copy it into an array in C order."""
    return np.asanyarray(nib.load(fmri_path).dataobj, order="C")


# %%
# If you do need C order, make that array first, and put the volumes into it one by one. As float32
# it is half as large as it would be as float64, and there is no second array beside it.
# ``opened_image`` unpacks a compressed file with the package ``isal``, which is much faster than
# Python's own ``gzip``.


def c_order_by_volume(fmri_path):
    """Fill an array of float32 in C order volume by volume."""
    with opened_image(fmri_path) as img:
        data = np.empty(img.shape, np.float32)
        for n in range(img.shape[3]):
            data[..., n] = img.dataobj[..., n]
    return data


# %%
# Time first
# ----------
# Often the order of the axes does not matter, as long as the array is in C order. ``.T`` reverses
# x, y, z and time to time, z, y and x. That is C order, and no number has to move.


def time_first(fmri_path):
    """Read the run, and reverse the order of its axes."""
    return np.asanyarray(nib.load(fmri_path).dataobj).T


# %%
# Does C order pay?
# -----------------
# One reason for C order is work on time series, such as those of the voxels in a mask. Here the
# mask has every voxel that is brighter than the mean of the first volume. Its time series are
# taken once from the order of the file, and once from C order.


def bright(data):
    """Tell which voxels are brighter than the mean of the first volume."""
    first = np.nan_to_num(data[..., 0], posinf=0, neginf=0)
    return first > first.mean()


def series_file_order(fmri_path):
    """Take the time series of bright voxels out of an array in the order of the file."""
    data = np.asanyarray(nib.load(fmri_path).dataobj)
    return data[bright(data)]


def series_c_order(fmri_path):
    """Copy the array into C order before the time series are taken."""
    data = np.asanyarray(nib.load(fmri_path).dataobj, order="C")
    return data[bright(data)]


# %%
# And here is work on volumes, the mean of each.


def volumes_file_order(fmri_path):
    """Average each volume of an array in the order of the file."""
    data = np.asanyarray(nib.load(fmri_path).dataobj)
    return [data[..., n].mean(dtype=np.float64) for n in range(data.shape[3])]


def volumes_c_order(fmri_path):
    """Copy the array into C order before the volumes are averaged."""
    data = np.asanyarray(nib.load(fmri_path).dataobj, order="C")
    return [data[..., n].mean(dtype=np.float64) for n in range(data.shape[3])]


# %%
# A part of the file
# ------------------
# A proxy image reads only the part that is asked for. In the file, one volume is in one piece. A
# slice along the first axis, or the time series of one voxel, is spread over all of the file.


def one_volume(fmri_path):
    """Ask the proxy image for the middle volume."""
    img = nib.load(fmri_path)
    return img.dataobj[..., img.shape[3] // 2]


def one_slice(fmri_path):
    """Ask the proxy image for the middle slice along the first axis."""
    img = nib.load(fmri_path)
    return img.dataobj[img.shape[0] // 2]


def one_series(fmri_path):
    """Ask the proxy image for the time series of the voxel in the middle."""
    img = nib.load(fmri_path)
    x, y, z = (n // 2 for n in img.shape[:3])
    return img.dataobj[x, y, z]


# %%
# What it costs
# -------------
# The methods in each list return the same values.

WHOLE = [fdata, file_order, c_order, c_order_by_volume]
TURNED = [time_first]
SERIES = [series_file_order, series_c_order]
VOLUMES = [volumes_file_order, volumes_c_order]
PARTS = [[one_volume], [one_slice], [one_series]]
RECOMMENDED = ["time_first"]
METHODS = [WHOLE, TURNED, SERIES, VOLUMES, *PARTS]

if __name__ == "__main__":
    from benchmarks import compare, compare_forms

    comparison = compare([WHOLE, TURNED], form="nii", runs=3)
    print(comparison)
    comparison.plot_time()

# %%
# Each time consists of reading, copying if there is a copy, and the work.

if __name__ == "__main__":
    print(compare([SERIES, VOLUMES], form="nii", runs=3))

# %%
# Parts of the run, as a plain file and as a compressed one.

if __name__ == "__main__":
    print(compare_forms({"nii": PARTS, "nii_gz": PARTS}, quantity="time", runs=3))
