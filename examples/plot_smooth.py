"""
Smoothing a run
===============

Does smoothing need the whole run in memory?

Smoothing in space looks at one volume at a time: a smoothed voxel depends on its neighbours in the
same volume, and on no other volume. ``smooth_img`` reads the whole run all the same, and copies it
before it smooths. A loop that hands it one volume after the other gets the same values to the last
bit, and does not need the run in memory.

All of it is measured on the first volumes of the run, and memory on four times as many, too.

The chapter says what follows from it: :ref:`chapter_smoothing`.
"""

# %%
# All at once
# -----------
# This is the call that nilearn's documentation shows. The width of the filter is its full width at
# half maximum, in mm. Voxels that are not finite become 0.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/smooth.svg'

import tempfile

import nibabel as nib
import numpy as np
from nilearn.image import smooth_img

from benchmarks.recipes import float32_header, opened_image, opened_to_write, whole_file


def at_once(fmri_path):
    """Smooth the whole run with nilearn."""
    return smooth_img(fmri_path, 6)


# %%
# Volume by volume
# ----------------
# ``opened_image`` opens the file once for all volumes, and unpacks a compressed one with the
# package ``isal``, which is much faster than Python's own ``gzip``. ``slicer`` returns one volume
# as an image of its own, and ``smooth_img`` treats that as it treats a run, also where voxels are
# not finite.
#
# The result is one array of float32, with the header of the run. For a scaled run, nilearn returns
# float64, which is twice as large; the fMRI signal has far fewer digits than either.


def by_volume(fmri_path):
    """Smooth one volume after the other, and put them into one array, rounded to float32."""
    with opened_image(fmri_path) as img:
        smoothed = np.empty(img.shape, np.float32, order="F")
        for n in range(img.shape[3]):
            smoothed[..., n] = smooth_img(img.slicer[..., n], 6).dataobj
    return type(img)(smoothed, img.affine, float32_header(img))


# %%
# Into a file
# -----------
# A smoothed run is usually saved. ``smooth_img`` keeps the header of the run, and where that says
# int16, nibabel saves the smoothed values with a new scaling, rounded to the steps that int16 has.
# Here both methods save them as float32.


def saved_at_once(fmri_path):
    """Smooth the whole run with nilearn, and save it."""
    target = f"{tempfile.mkdtemp()}/smoothed.nii"
    smoothed = smooth_img(fmri_path, 6)
    smoothed.set_data_dtype(np.float32)
    smoothed.to_filename(target)
    return nib.load(target)


# %%
# A volume can be written as soon as it is smoothed. In a NIfTI file the header comes first, and
# then the voxels, with those along the first axis next to each other. ``order="F"`` and ``.T``
# bring them into this order.
#
# ``opened_to_write`` packs a file whose name ends in .gz. ``whole_file`` gives the file its name
# only when it is complete, so that a loop that is interrupted leaves no half run that looks like a
# whole one.


def saved_by_volume(fmri_path, smoothed_path=None):
    """Write each volume, rounded to float32, once it is smoothed; to a new file by default."""
    smoothed_path = smoothed_path or f"{tempfile.mkdtemp()}/smoothed.nii"
    with (
        opened_image(fmri_path) as img,
        whole_file(smoothed_path) as unfinished,
        opened_to_write(unfinished) as file,
    ):
        header = float32_header(img)
        header.write_to(file)
        for n in range(img.shape[3]):
            smoothed = smooth_img(img.slicer[..., n], 6).get_fdata()
            file.write(smoothed.astype(header.get_data_dtype(), order="F").T)
    return nib.load(smoothed_path)


# %%
# What it costs
# -------------
# All methods return the same values, apart from the rounding to float32.

WAYS = [at_once, by_volume, saved_at_once, saved_by_volume]
AGAIN = [at_once, saved_by_volume]
RECOMMENDED = ["saved_by_volume"]
METHODS = WAYS

if __name__ == "__main__":
    from benchmarks import compare

    comparison = compare(WAYS, form="short", runs=3)
    print(comparison)

# %%
# They differ most in what has to be in memory at the same time.

if __name__ == "__main__":
    comparison.plot_memory()

# %%
# For a run that is four times as long, one peak is four times as high, and the other is the same.
# Only memory is measured here.

if __name__ == "__main__":
    print(compare(AGAIN, form="x4", timed=False, runs=1))
