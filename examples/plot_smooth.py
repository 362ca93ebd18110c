"""
Smoothing a run
===============

Does smoothing need the whole run in memory?

Smoothing in space looks at one volume at a time. What happens to a voxel depends on its neighbours
in the same volume, and on no other volume. ``smooth_img`` reads the whole run all the same, and
copies it before it smooths. A loop that hands it one volume after the other gets the same values
to the last bit, and no longer needs the run in memory.

All of it is measured on the first volumes of the run, and its memory on four times as many, too.

The chapter says what follows from it: :ref:`chapter_smoothing`.
"""

# sphinx_gallery_thumbnail_path = '_static/thumbnails/smooth.svg'

# %%
# All at once
# -----------
# This is the call that nilearn's documentation shows. The width of the filter is that at half of
# its height, in mm. Voxels that are not finite become 0.

import os
import tempfile

import nibabel as nib
import numpy as np
from isal import igzip
from nilearn.image import smooth_img


def at_once(fmri_path):
    """Smooth the whole run with nilearn."""
    return smooth_img(fmri_path, 6)


# %%
# Volume by volume
# ----------------
# nibabel reads from an open file, and ``isal`` unpacks a compressed one much faster than Python
# itself. ``slicer`` returns one volume as an image of its own. ``smooth_img`` does with it what it
# does with the run, including what it does with voxels that are not finite.
#
# The result is one array of float32, with the header of the run. nilearn returns float64 for a
# scaled run, which is twice as large; the fMRI signal has far fewer digits than either.


def opened(fmri_path):
    """Open a file to read from it; a compressed one is unpacked with isal."""
    return igzip.open(fmri_path) if str(fmri_path).endswith(".gz") else open(fmri_path, "rb")


def float32_header(img):
    """Return the header of an image whose values become float32, without scaling."""
    header = img.header.copy()
    header.set_data_dtype(np.float32)
    header.set_slope_inter(1, 0)
    header.set_data_offset(0)
    return header


def by_volume(fmri_path):
    """Smooth one volume after the other, and put them into one array."""
    with opened(fmri_path) as source:
        img = nib.load(fmri_path).from_stream(source)
        smoothed = np.empty(img.shape, np.float32, order="F")
        for n in range(img.shape[3]):
            smoothed[..., n] = smooth_img(img.slicer[..., n], 6).dataobj
    return type(img)(smoothed, img.affine, float32_header(img))


# %%
# Into a file
# -----------
# A smoothed run is usually saved. ``smooth_img`` keeps the header of the run. Where that says
# int16, nibabel rounds the smoothed values to whole steps again when it saves them. Here they are
# saved as float32, in all ways alike.


def saved_at_once(fmri_path):
    """Smooth the whole run with nilearn, and save it."""
    target = f"{tempfile.mkdtemp()}/smoothed.nii"
    smoothed = smooth_img(fmri_path, 6)
    smoothed.set_data_dtype(np.float32)
    smoothed.to_filename(target)
    return nib.load(target)


# %%
# A volume can be written as soon as it is smoothed. In a NIfTI file the header comes first, and
# then the voxels, those along the first axis next to each other. ``order="F"`` and ``.T`` bring
# them into this order.
#
# The file is written under another name, and gets its own only when it is complete. If the loop
# is interrupted, no half of a run is left that looks like a whole one.


def saved_by_volume(fmri_path):
    """Write each volume as soon as it is smoothed."""
    target = f"{tempfile.mkdtemp()}/smoothed.nii"
    with opened(fmri_path) as source, open(f"{target}.part", "wb") as file:
        img = nib.load(fmri_path).from_stream(source)
        header = float32_header(img)
        header.write_to(file)
        for n in range(img.shape[3]):
            smoothed = smooth_img(img.slicer[..., n], 6).get_fdata()
            file.write(smoothed.astype(header.get_data_dtype(), order="F").T)
    os.replace(f"{target}.part", target)
    return nib.load(target)


# %%
# What it costs
# -------------
# All ways return the same values, but for the rounding to float32.

WAYS = [at_once, by_volume, saved_at_once, saved_by_volume]
AGAIN = [at_once, saved_by_volume]
RECOMMENDED = ["saved_by_volume"]
METHODS = WAYS

if __name__ == "__main__":
    from benchmarks import compare

    comparison = compare(WAYS, form="short", runs=3)
    print(comparison)

# %%
# What has to be in memory at the same time differs most.

if __name__ == "__main__":
    comparison.plot_memory()

# %%
# With a run that is four times as long, one peak is four times as high, and the other is the same.
# Only memory is measured.

if __name__ == "__main__":
    print(compare(AGAIN, form="x4", timed=False, runs=1))
