"""
Cleaning a run
==============

What is the leanest way to remove confounds, drifts and bad volumes from every voxel of a run?

nilearn does all of it with one function. That function holds the whole run as float64, several
times over, and by default it filters one voxel after the other. Yet no voxel depends on another,
so they can be cleaned block by block, and a single argument makes the filter take all voxels of a
block at once.

All of it is measured on the first volumes of the run, so that it finishes soon however large your
file is.

The chapter says what follows from it: :ref:`chapter_clean`.
"""

# %%
# What is removed
# ---------------
# The confounds are random walks: six of them, or fewer if the run has fewer than 24 volumes. One
# volume in ten is left out, as if the head had moved. The signals are detrended, and band-pass
# filtered from 0.01 to 0.1 Hz. The filter pads the run with 33 volumes at each end, its default,
# or fewer if the run is shorter than that. It has to know the time between volumes, which
# ``repetition_time`` takes from the header; if yours has none, or a wrong one, give the seconds
# yourself.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/clean.svg'

import nibabel as nib
import numpy as np
from nilearn.image import clean_img
from nilearn.masking import apply_mask, unmask
from nilearn.signal import clean

from benchmarks.recipes import float32_header, mask_voxels, opened_image, repetition_time

CHOICES = {"detrend": True, "standardize": None, "high_pass": 0.01, "low_pass": 0.1}


def known(volumes):
    """Return the confounds, the volumes that are kept, and the padding of the filter."""
    steps = np.random.default_rng(0).normal(size=(volumes, min(6, volumes // 4)))
    kept = np.delete(np.arange(volumes), np.s_[1:-1:10])
    return steps.cumsum(axis=0), kept, min(33, volumes - 1)


# %%
# The mask has the voxels that are brighter than the mean of the first volume.


def brain(fmri_path):
    """Return a mask of the brighter voxels."""
    img = nib.load(fmri_path)
    first = np.nan_to_num(img.dataobj[..., 0], posinf=0, neginf=0)
    return nib.Nifti1Image((first >= first.mean()).astype(np.uint8), img.affine)


# %%
# With nilearn
# ------------
# ``clean_img`` passes arguments that begin with ``clean__`` on to ``nilearn.signal.clean``, which
# passes those that begin with ``butterworth__`` on to the filter. The filter loops over the voxels
# unless ``copy`` is true: then it makes one call for all of them. By nilearn's documentation, this
# takes more memory.
#
# Given a mask, nilearn returns an image with the header of the mask, in which the repetition time
# of the run is lost. So the cleaned image gets the header of the run, with float32 as its type: it
# is saved as that.


def with_header(cleaned, img):
    """Return a cleaned image with the header of its run."""
    return type(img)(np.asanyarray(cleaned.dataobj), img.affine, float32_header(img))


def image_cleaned(fmri_path, mask, at_once):
    """Clean an image within a mask, as nilearn's documentation shows."""
    img = nib.load(fmri_path)
    confounds, kept, padlen = known(img.shape[3])
    cleaned = clean_img(
        fmri_path,
        mask_img=mask,
        confounds=confounds,
        ensure_finite=True,
        clean__sample_mask=kept,
        clean__butterworth__padlen=padlen,
        clean__butterworth__copy=at_once,
        t_r=repetition_time(img),
        **CHOICES,
    )
    return with_header(cleaned, img)


# %%
# The loop is so slow that the two are compared on a few voxels only.

SOME_VOXELS = 3000


def some_voxels(fmri_path):
    """Return a mask of the first three thousand voxels."""
    mask = brain(fmri_path)
    inside = np.cumsum(mask.dataobj).reshape(mask.shape)
    return nib.Nifti1Image(mask.dataobj * (inside <= SOME_VOXELS), mask.affine)


def some_as_usual(fmri_path):
    """Let clean_img filter some thousand voxels one by one, as it does by default."""
    return image_cleaned(fmri_path, some_voxels(fmri_path), at_once=False)


def some_at_once(fmri_path):
    """Let clean_img filter some thousand voxels at once."""
    return image_cleaned(fmri_path, some_voxels(fmri_path), at_once=True)


# %%
# With this argument, ``clean_img`` is fast enough for a run. Without a mask it cleans all voxels,
# including the air around the head.


def whole_at_once(fmri_path):
    """Clean all voxels with clean_img."""
    return image_cleaned(fmri_path, None, at_once=True)


def masked_at_once(fmri_path):
    """Clean the voxels of the mask with clean_img."""
    return image_cleaned(fmri_path, brain(fmri_path), at_once=True)


# %%
# Masked first, as float32
# ------------------------
# This does the same in three steps: it takes the signals of the mask as float32, cleans them, and
# puts them back into an image.


def signals_cleaned(signals, t_r):
    """Clean signals, each of which is a column."""
    confounds, kept, padlen = known(len(signals))
    filtered = {"butterworth__padlen": padlen, "butterworth__copy": True}
    return clean(signals, confounds=confounds, sample_mask=kept, t_r=t_r, **filtered, **CHOICES)


def masked_float32(fmri_path):
    """Take the signals of the mask as float32, clean them, and make an image of them."""
    img, mask = nib.load(fmri_path), brain(fmri_path)
    signals = apply_mask(fmri_path, mask, dtype=np.float32)
    cleaned = signals_cleaned(signals, repetition_time(img)).astype(np.float32)
    return with_header(unmask(cleaned, mask), img)


# %%
# In blocks of voxels
# -------------------
# One array of float32 is made for the result. The volumes are read into it one by one, so that the
# run is in memory only once; as in nilearn, values that are not finite become 0. Then one block of
# voxels at a time is cleaned and put back. The longer the run, the fewer voxels a block has. Since
# some volumes are left out, the end of the array is not used.
#
# ``opened_image`` unpacks a .nii.gz with ``isal``. In a NIfTI file, the first axis runs fastest,
# and ``order="F"`` keeps it so.


def read_inside(fmri_path, inside):
    """Read the voxels at some places into an array of float32, all others are 0."""
    with opened_image(fmri_path) as img:
        *space, volumes = img.shape
        data = np.zeros((np.prod(space), volumes), dtype=np.float32, order="F")
        for volume in range(volumes):
            values = np.ravel(img.dataobj[..., volume], order="F")[inside]
            data[inside, volume] = np.nan_to_num(values, posinf=0, neginf=0)
    return data


def masked_blocks(fmri_path):
    """Read the run into one array, and clean a block of voxels at a time."""
    img, mask = nib.load(fmri_path), brain(fmri_path)
    inside = np.flatnonzero(np.ravel(mask_voxels(mask, img), order="F"))
    data = read_inside(fmri_path, inside)
    for block in np.array_split(inside, 1 + inside.size * img.shape[3] // 500_000):
        cleaned = signals_cleaned(data[block].T, repetition_time(img))
        data[block, : len(cleaned)] = cleaned.T
    data = data[:, : len(cleaned)].reshape((*mask.shape, -1), order="F")
    return type(img)(data, img.affine, float32_header(img))


# %%
# These are more lines than one call, so they pay where memory is short. Otherwise, use
# ``clean_img`` with a mask and with the argument. As float32, values keep about seven digits.

# %%
# What it costs
# -------------
# The methods that clean the mask must all return the same, and so must the two that clean a few
# voxels. The few voxels come first.

SOME = [some_as_usual, some_at_once]
MASKED = [masked_at_once, masked_float32, masked_blocks]
# A value of float32 is rounded relative to the mean of its voxel, which may be some hundred times
# as large as what cleaning leaves.
TOLERANCE = 1e-4
RECOMMENDED = ["masked_at_once", "masked_blocks"]
METHODS = [SOME, [whole_at_once], MASKED]

if __name__ == "__main__":
    from benchmarks import compare

    print(compare(SOME, form="short", runs=3))

# %%
# Now all voxels of the mask, filtered at once.

if __name__ == "__main__":
    comparison = compare(MASKED, form="short", runs=3)
    print(comparison)

# %%
# What is kept is the cleaned image. Cleaning in blocks needs little besides.

if __name__ == "__main__":
    comparison.plot_memory()

# %%
# Without a mask, ``clean_img`` needs much more memory.

if __name__ == "__main__":
    print(compare([[whole_at_once]], form="short", timed=False))

# %%
# For a run that is twice as long, the cleaned image is twice as large. What the blocks need
# besides grows little.

if __name__ == "__main__":
    print(compare([[masked_blocks]], form="x2", timed=False))
