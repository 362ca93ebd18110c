"""
Proxy image or array image?
===========================

What does an image keep in memory, and when does it let go?

Each function below looks at one property of an image. The tables have what the functions returned,
with the versions of nibabel and nilearn in the caption.

The chapter says what follows from it: :ref:`chapter_proxies`.
"""

# %%
# After opening
# -------------
# Is what was opened a proxy image, and does it keep its data in memory?

# sphinx_gallery_thumbnail_path = '_static/thumbnails/proxy_and_array.svg'

import pickle

import nibabel as nib
import numpy as np
from nilearn.image import index_img, load_img, math_img, mean_img, resample_img, smooth_img


def opened_with_nibabel(fmri_path):
    """Open with nibabel: is it a proxy image, and are the data in memory?"""
    img = nib.load(fmri_path)
    return nib.is_proxy(img.dataobj), img.in_memory


def opened_with_nilearn(fmri_path):
    """Open with nilearn: is it a proxy image, and are the data in memory?"""
    img = load_img(fmri_path)
    return nib.is_proxy(img.dataobj), img.in_memory


# %%
# After use
# ---------
# ``get_fdata`` leaves an array with the image, and ``uncache`` lets go of it. Does ``mean_img``
# leave an array, too?


def after_get_fdata_and_uncache(fmri_path):
    """Are the data in memory after get_fdata, and after uncache?"""
    img = nib.load(fmri_path)
    img.get_fdata()
    before = img.in_memory
    img.uncache()
    return before, img.in_memory


def after_mean_img(fmri_path):
    """Are the data of an image in memory after mean_img has used it?"""
    img = load_img(fmri_path)
    mean_img(img, copy_header=True)
    return img.in_memory


# %%
# ``dataobj`` has nothing to do with the array that is kept. Here the array is changed, but not the
# file.


def dataobj_reads_the_file(fmri_path):
    """Does dataobj still return what is in the file after the data in memory were changed?"""
    img = nib.load(fmri_path)
    img.get_fdata()[:] = -1
    return bool((img.dataobj[..., 0] != -1).any())


# %%
# What functions of nilearn return
# --------------------------------
# A function that has nothing to change may return the proxy image that it was given.


def returns_a_proxy(fmri_path):
    """Which functions return a proxy image?"""
    img = load_img(fmri_path)
    results = {
        "load_img": load_img(img),
        "resample_img": resample_img(img, copy=False, copy_header=True),
        "index_img": index_img(img, 3),
        "mean_img": mean_img(img, copy_header=True),
        "math_img": math_img("img / 2", img=img),
        "smooth_img": smooth_img(index_img(img, 3), fwhm=6),
    }
    return [name for name, result in results.items() if nib.is_proxy(result.dataobj)]


def array_after_uncache(fmri_path):
    """Are the data of an array image in memory after uncache?"""
    img = index_img(fmri_path, 3)
    img.uncache()
    return img.in_memory


# %%
# Types
# -----
# ``get_fdata`` returns float64 unless it is asked for another type. ``dataobj`` keeps the type of
# the file, unless the header asks for scaling.


def types_of_get_fdata(fmri_path):
    """What types does get_fdata return?"""
    img = nib.load(fmri_path)
    return img.get_fdata().dtype.name, nib.load(fmri_path).get_fdata(dtype=np.float32).dtype.name


def dataobj_keeps_the_type(fmri_path):
    """Does dataobj return the type that the file has?"""
    img = nib.load(fmri_path)
    return bool(np.asanyarray(img.dataobj[..., 0]).dtype == img.get_data_dtype())


# %%
# Sent to another process
# -----------------------
# What is sent to another process is pickled. These functions return how many bytes that takes.


def pickled_proxy(fmri_path):
    """Count the bytes of a pickled proxy image."""
    return len(pickle.dumps(nib.load(fmri_path)))


def pickled_loaded(fmri_path):
    """Count the bytes of a pickled image whose data were read before."""
    img = nib.load(fmri_path)
    img.get_fdata()
    return len(pickle.dumps(img))


# %%
# What stays in memory
# --------------------
# These functions return an image, and the table shows how much memory is kept with it.


def loaded(fmri_path):
    """Read the data, and return the image."""
    img = nib.load(fmri_path)
    img.get_fdata()
    return img


def uncached(fmri_path):
    """Read the data, let go of them, and return the image."""
    img = loaded(fmri_path)
    img.uncache()
    return img


def uncached_but_held(fmri_path):
    """Read the data, let go of them in the image, and hold on to the array elsewhere."""
    img = nib.load(fmri_path)
    data = img.get_fdata()
    img.uncache()
    return img, data


# %%
# What was observed
# -----------------

METHODS = [
    [opened_with_nibabel],
    [opened_with_nilearn],
    [after_get_fdata_and_uncache],
    [after_mean_img],
    [dataobj_reads_the_file],
    [returns_a_proxy],
    [array_after_uncache],
    [types_of_get_fdata],
    [dataobj_keeps_the_type],
    [pickled_proxy],
    [pickled_loaded],
    [loaded],
    [uncached],
    [uncached_but_held],
]

if __name__ == "__main__":
    from benchmarks import compare

    comparison = compare(METHODS, form="short", timed=False, runs=1)
    print(comparison.observed().text())
    print(comparison.caption)
