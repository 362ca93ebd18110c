"""
Resampling a run
================

My atlas and my run are on different grids. Which of the two should I resample, and what does it
cost?

Resampling is interpolation: by default, each new voxel is a weighted sum of 64 old ones, all of
them from the same volume. So a run can be resampled and written volume by volume. And often it
need not be resampled at all: if all you want is the signal of a region, the region can be brought
to the run.

The grid here is one and a half times as coarse as that of the run, whatever run you take. All of
it is measured on the first volumes of the run, and memory on four times as many, too.

The chapter says what follows from it: :ref:`chapter_resampling`.
"""

# %%
# All at once
# -----------
# ``resample_to_img`` takes an image or a path, and an image on the grid that is wanted. In place
# of an atlas, a single region is made here: a box in the middle of the run.
#
# ``resample_img`` takes the grid as an affine and a shape, and does the same but for one thing: by
# default it clips the new values to the range of the old ones, which is that of the whole run. In
# a loop it would clip each volume to its own range. ``resample_to_img`` does not clip.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/resample.svg'

import math
import tempfile

import nibabel as nib
import numpy as np
from nilearn.image import resample_to_img
from nilearn.masking import apply_mask

from benchmarks.recipes import float32_header, opened_image, opened_to_write, whole_file


def atlas_for(img):
    """Return an image with one region, on a coarser grid than that of a run."""
    shape = [math.ceil(n / 1.5) for n in img.shape[:3]]
    region = np.zeros(shape, np.int8)
    region[tuple(slice(n // 3, n - n // 3) for n in shape)] = 1
    return nib.Nifti1Image(region, img.affine @ np.diag([1.5, 1.5, 1.5, 1]))


def at_once(fmri_path):
    """Resample the whole run with nilearn."""
    return resample_to_img(fmri_path, atlas_for(nib.load(fmri_path)))


# %%
# Volume by volume, into a file
# -----------------------------
# The same call is given one volume after the other, and each is written as soon as it is
# resampled. ``opened_image`` opens the file once for all volumes, and unpacks a compressed one
# with the package ``isal``, which is much faster than Python's own ``gzip``.
#
# A new grid needs a new header. nibabel makes it from that of the run, and keeps the units and the
# repetition time, but takes the affine and the size of the new grid. It needs an image for that,
# and ``broadcast_to`` makes one whose voxels all share one place in memory. The space stays that
# of the run, such as that of the scanner or MNI. The slices are others, so what the header says of
# their order is left out.
#
# ``opened_to_write`` packs a file whose name ends in .gz. ``whole_file`` gives the file its name
# only when it is complete, so that half a run is never taken for a whole one.


def header_on(grid, img):
    """Return the header of a run of float32 on another grid, in the same space."""
    values = np.broadcast_to(np.float32(0), (*grid.shape, img.shape[3]))
    resampled = type(img)(values, grid.affine, img.header)
    space = img.header["sform_code"] or img.header["qform_code"] or 2
    resampled.set_sform(grid.affine, int(space))
    header = float32_header(resampled)
    for name in ("slice_code", "slice_start", "slice_end", "slice_duration"):
        header[name] = 0
    return header


def saved_by_volume(fmri_path, resampled_path=None):
    """Write each volume, rounded to float32, once it is resampled; to a new file by default."""
    resampled_path = resampled_path or f"{tempfile.mkdtemp()}/resampled.nii"
    with (
        opened_image(fmri_path) as img,
        whole_file(resampled_path) as unfinished,
        opened_to_write(unfinished) as file,
    ):
        atlas = atlas_for(img)
        header = header_on(atlas, img)
        header.write_to(file)
        for n in range(img.shape[3]):
            resampled = resample_to_img(img.slicer[..., n], atlas).get_fdata()
            file.write(resampled.astype(header.get_data_dtype(), order="F").T)
    return nib.load(resampled_path)


# %%
# For the signal of a region
# --------------------------
# Often what you want is not a run on another grid, but the mean of a region at every time. There
# are two orders in which to get it. In the first, the run is resampled, and then masked.


def run_to_atlas(fmri_path):
    """Resample the run to the atlas, and average the region at every time."""
    atlas = atlas_for(nib.load(fmri_path))
    return apply_mask(resample_to_img(fmri_path, atlas), atlas).mean(axis=1, dtype=np.float64)


# %%
# In the second, the region is resampled to the run, which is one volume instead of all of them. A
# voxel is either in the region or not, so each takes the value of the nearest one.
#
# The signals are not quite the same. The edge of the region moves by half a voxel at most, and the
# voxels there are not mixed with those outside. nilearn's maskers of labels take this order unless
# they are told otherwise.


def atlas_to_run(fmri_path):
    """Resample the region to the run, and average it at every time."""
    img = nib.load(fmri_path)
    region = resample_to_img(atlas_for(img), img, interpolation="nearest")
    return apply_mask(img, region).mean(axis=1, dtype=np.float64)


# %%
# On its own grid, the run need not be in memory as a whole, either. Like ``apply_mask``, this
# takes voxels that are not finite as 0.


def atlas_to_run_by_volume(fmri_path):
    """Resample the region to the run, and average it in one volume after the other."""
    with opened_image(fmri_path) as img:
        region = resample_to_img(atlas_for(img), img, interpolation="nearest").get_fdata() > 0
        volumes = (img.dataobj[..., n] for n in range(img.shape[3]))
        finite = (np.nan_to_num(volume[region], posinf=0, neginf=0) for volume in volumes)
        return np.array([values.mean(dtype=np.float64) for values in finite])


# %%
# What it costs
# -------------
# The methods in each list return the same.

WAYS = [at_once, saved_by_volume]
TO_ATLAS = [run_to_atlas]
TO_RUN = [atlas_to_run, atlas_to_run_by_volume]
AGAIN = [[saved_by_volume], TO_RUN]
RECOMMENDED = ["saved_by_volume", "atlas_to_run_by_volume"]
METHODS = [WAYS, TO_ATLAS, TO_RUN]

if __name__ == "__main__":
    from benchmarks import compare

    print(compare([WAYS], form="short", runs=3))

# %%
# Now the two orders.

if __name__ == "__main__":
    orders = compare([TO_ATLAS, TO_RUN], form="short", runs=3)
    print(orders)
    orders.plot_time()

# %%
# For a run that is four times as long, the loops need no more memory, but the methods with
# ``apply_mask`` do. Only memory is measured here.

if __name__ == "__main__":
    print(compare(AGAIN, form="x4", timed=False, runs=1))
