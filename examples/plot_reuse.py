"""
The same run several times
==========================

I need a mean, a standard deviation and a maximum of the same run. How should I hold it?

An image can be a proxy, a proxy whose data were read with ``get_fdata``, an array in memory, or
an array that was saved and opened again. Three functions of nilearn get each of them here.

All of it is measured on the first volumes of the run, so that it fits into memory whatever the
size of your file is.

The chapter says what follows from it: :ref:`chapter_reuse`.
"""

# %%
# Three functions
# ---------------
# Each of them needs every voxel, and returns a single volume.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/reuse.svg'

import tempfile
from unittest import mock

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nilearn.image import math_img, mean_img


def three_of(img):
    """Return the mean, the standard deviation and the maximum over time."""
    return [
        mean_img(img, copy_header=True),
        math_img("img.std(axis=3)", img=img),
        math_img("img.max(axis=3)", img=img),
    ]


# %%
# Four images
# -----------
# What is opened is a proxy.


def proxy_image(fmri_path):
    """Open the image."""
    return nib.load(fmri_path)


# %%
# ``get_fdata`` leaves an array with it.


def loaded_image(fmri_path):
    """Open the image, and read its data."""
    img = nib.load(fmri_path)
    img.get_fdata()
    return img


# %%
# An array image has an array in the place of the reference to the file. Here it is of float32.


def array_image(fmri_path):
    """Read the run into an array of float32, and make an image of it."""
    img = nib.load(fmri_path)
    data = img.get_fdata(dtype=np.float32)
    return type(img)(data, img.affine, img.header, dtype=data.dtype)


# %%
# Saved as a plain file and opened again, it is a proxy once more, and its file can be mapped. The
# array is not held any longer.


def saved_image(fmri_path):
    """Save the array image in a new folder, and open it."""
    saved_path = f"{tempfile.mkdtemp()}/run.nii"
    array_image(fmri_path).to_filename(saved_path)
    return nib.load(saved_path)


# %%
# From the file to three results
# ------------------------------
# The time to make the image is part of each call.


def three_of_proxy(fmri_path):
    """Give the proxy to three functions."""
    return three_of(proxy_image(fmri_path))


def three_of_loaded(fmri_path):
    """Read the data with get_fdata, and give the image to three functions."""
    return three_of(loaded_image(fmri_path))


def three_of_array(fmri_path):
    """Make an array image, and give it to three functions."""
    return three_of(array_image(fmri_path))


def three_of_saved(fmri_path):
    """Save the array image, open it, and give it to three functions."""
    return three_of(saved_image(fmri_path))


# %%
# One more result
# ---------------
# What another function costs, once the image is there: the first call makes the image, and the
# next ones find it. Only those are measured.

THERE = {}


def once_made(make, fmri_path):
    """Return the image that the first call has made."""
    key = (make.__name__, fmri_path)
    if key not in THERE:
        THERE[key] = make(fmri_path)
    return THERE[key]


def mean_of_proxy(fmri_path):
    """Average a proxy that is there already."""
    return mean_img(once_made(proxy_image, fmri_path), copy_header=True)


def mean_of_loaded(fmri_path):
    """Average an image whose data were read before, and that nilearn has used before."""
    return mean_img(once_made(loaded_image, fmri_path), copy_header=True)


def mean_of_array(fmri_path):
    """Average an array image that is there already."""
    return mean_img(once_made(array_image, fmri_path), copy_header=True)


def mean_of_saved(fmri_path):
    """Average an image that was saved and opened before."""
    return mean_img(once_made(saved_image, fmri_path), copy_header=True)


# %%
# What nilearn does with each
# ---------------------------
# How often is the file read? A proxy reads all of its file when NumPy asks it for an array, which
# is counted here.


def times_read(img):
    """Count how often three functions read the file of an image."""
    asked = mock.patch.object(
        ArrayProxy, "__array__", autospec=True, side_effect=ArrayProxy.__array__
    )
    with asked as calls:
        three_of(img)
    return calls.call_count


def reads_of_three(fmri_path):
    """How often do three functions read a proxy, a loaded, an array, and a saved image?"""
    makers = [proxy_image, loaded_image, array_image, saved_image]
    return tuple(times_read(make(fmri_path)) for make in makers)


# %%
# An image that ``get_fdata`` was called on has its array, and nilearn reads the file for another
# one, which the image keeps too. These functions return the image after use. Look at what is kept
# with it.


def loaded_and_used(fmri_path):
    """Read the data with get_fdata, average the image, and return it."""
    img = loaded_image(fmri_path)
    mean_img(img, copy_header=True)
    return img


def array_and_used(fmri_path):
    """Make an array image, average it, and return it."""
    img = array_image(fmri_path)
    mean_img(img, copy_header=True)
    return img


# %%
# What it costs
# -------------
# All ways must return the same. nilearn adds up an array of float32 in float32, and a proxy with
# scaling in float64.

TOLERANCE = 1e-4
THREE = [three_of_proxy, three_of_loaded, three_of_array, three_of_saved]
ONE_MORE = [mean_of_proxy, mean_of_loaded, mean_of_array, mean_of_saved]
USED = [[reads_of_three], [loaded_and_used], [array_and_used]]
METHODS = [THREE, ONE_MORE, *USED]

if __name__ == "__main__":
    from benchmarks import compare

    three = compare(THREE, form="short", runs=3)
    print(three)

# %%
# The time of each way.

if __name__ == "__main__":
    three.plot_time()

# %%
# Their peaks. What is mapped can be taken back by the kernel.

if __name__ == "__main__":
    three.plot_memory()

# %%
# One more result of an image that is there.

if __name__ == "__main__":
    print(compare(ONE_MORE, form="short", runs=3))

# %%
# How often three functions read the file, given each of the four images, and what stays in memory
# with an image that nilearn has used.

if __name__ == "__main__":
    print(compare(USED, form="short", timed=False, runs=1).observed().text())
