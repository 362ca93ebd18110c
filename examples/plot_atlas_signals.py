"""
Signals of an atlas
===================

What is the leanest way to average a run within every region of an atlas?

An atlas gives each voxel the number of its region. The signal of a region is the mean of its
voxels at every time. To compute it, nilearn's masker reads the whole run, and looks up the regions
anew in every volume. A single pass over the volumes needs to look them up only once.

The page also compares two methods for cleaned signals, and two for maps that overlap.

The chapter says what follows from it: :ref:`chapter_atlas`.
"""

# %%
# An atlas
# --------
# The atlas is made from the run itself, so that any file will do: the brighter voxels are split
# into a hundred regions. Its voxels are half as wide as those of the run, since an atlas is rarely
# on the grid of a run. To use your own atlas, set the environment variable ``ATLAS`` to its path.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/atlas_signals.svg'

import os

import nibabel as nib
import numpy as np
from nilearn.image import resample_img
from nilearn.maskers import NiftiLabelsMasker, NiftiMapsMasker
from nilearn.signal import clean
from scipy.linalg import pinvh
from scipy.sparse import csr_array

from benchmarks.recipes import opened_image, refuse_other_grid


def atlas(fmri_path):
    """Load the atlas that ATLAS names, or split the run into a hundred regions."""
    if "ATLAS" in os.environ:
        return nib.load(os.environ["ATLAS"])
    img = nib.load(fmri_path)
    first = np.nan_to_num(img.dataobj[..., 0], posinf=0, neginf=0)
    bright = np.flatnonzero(first >= first.mean())
    labels = np.zeros(first.shape, dtype=np.uint8)
    labels.ravel()[bright] = 1 + np.arange(bright.size) * 100 // bright.size
    finer = labels.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    halves = nib.affines.from_matvec(np.eye(3) / 2, [-0.25, -0.25, -0.25])
    return nib.Nifti1Image(finer, img.affine @ halves)


# %%
# With nilearn's masker
# ---------------------
# ``NiftiLabelsMasker`` resamples the atlas to the grid of the run and returns a column for each
# region.


def masker_path(fmri_path):
    """Hand the masker the path of the run."""
    return NiftiLabelsMasker(atlas(fmri_path), standardize=None).fit_transform(fmri_path)


# %%
# For the picture in its report, the masker takes the volume in the middle of the run, and unpacks
# a compressed file up to there. ``reports=False`` saves that, and the signals are the same.


def masker_no_report(fmri_path):
    """Tell the masker that no report is wanted."""
    masker = NiftiLabelsMasker(atlas(fmri_path), standardize=None, reports=False)
    return masker.fit_transform(fmri_path)


# %%
# The atlas on the grid of the run
# --------------------------------
# What the masker does first can be done by hand: every voxel of the run gets the label of the
# nearest voxel of the atlas. Runs on the same grid can share the result, so save it if you have
# many of them.


def resample_atlas(fmri_path):
    """Bring the atlas to the grid of the run."""
    img = nib.load(fmri_path)
    choices = {"interpolation": "nearest", "copy_header": True, "force_resample": True}
    return resample_img(atlas(fmri_path), img.affine, img.shape[:3], **choices)


# %%
# In one pass
# -----------
# ``numpy.bincount`` adds up values by the number of their region, for all regions at once. The
# voxels of the regions are looked up once, and then the volumes come one after the other. The
# package ``isal`` unpacks a .nii.gz faster than Python's own ``gzip``. In a NIfTI file, the first
# axis runs fastest: ``order="F"`` brings a volume into this order without a copy.
#
# Like the masker, this takes values that are not finite as 0, and sorts the columns by label. A
# region that has no voxel on the grid of the run has no column; nilearn warns of that. The labels
# of the columns are ``np.unique`` of the resampled atlas, without 0.


def one_pass(fmri_path):
    """Add up each volume by region, and divide by the sizes of the regions."""
    labels = np.nan_to_num(np.ravel(resample_atlas(fmri_path).dataobj, order="F"))
    inside = np.flatnonzero(labels)
    _, regions = np.unique(labels[inside], return_inverse=True)
    sums = []
    with opened_image(fmri_path) as img:
        for volume in range(img.shape[3]):
            values = np.ravel(img.dataobj[..., volume], order="F")[inside]
            sums.append(np.bincount(regions, np.nan_to_num(values, posinf=0, neginf=0)))
    return np.array(sums) / np.bincount(regions)


# %%
# You give up what else the masker can do: statistics other than the mean, smoothing, a mask,
# reports and a cache. That is not worth it for one short run, but it is for many runs, or long
# ones.

# %%
# Cleaned signals
# ---------------
# The masker can detrend and standardize the signals, and remove confounds from them. It does so
# after it has averaged the voxels, with ``nilearn.signal.clean``, and the same call cleans signals
# from anywhere else. Here the confounds are six random walks; yours are in a table that fMRIPrep
# writes.

CLEANING = {"detrend": True, "standardize": "zscore_sample"}


def confounds(fmri_path):
    """Make up to six confounds, each a random walk."""
    volumes = nib.load(fmri_path).shape[3]
    steps = np.random.default_rng(0).normal(size=(volumes, min(6, volumes // 4)))
    return steps.cumsum(axis=0)


def masker_cleaned(fmri_path):
    """Have the masker clean the signals."""
    masker = NiftiLabelsMasker(atlas(fmri_path), **CLEANING)
    return masker.fit_transform(fmri_path, confounds=confounds(fmri_path))


def one_pass_cleaned(fmri_path):
    """Clean the signals that one pass returns."""
    return clean(one_pass(fmri_path), confounds=confounds(fmri_path), **CLEANING)


# %%
# Maps that overlap
# -----------------
# Some atlases give each voxel a weight for every region. The signals are then those with which a
# sum of the maps comes closest to each volume, by least squares. The 64 maps of this page are
# hills on the grid of the run, each of which overlaps with its neighbours.


def hills(size):
    """Return four hills along an axis, or one for each voxel of a shorter one."""
    count = min(4, size)
    return np.maximum(1 - abs(np.linspace(0, count - 1, size)[:, None] - np.arange(count)), 0)


def maps(fmri_path):
    """Make a map of each hill along the three axes."""
    img = nib.load(fmri_path)
    x, y, z = (hills(size).astype(np.float32) for size in img.shape[:3])
    weights = np.einsum("ia,jb,kc->ijkabc", x, y, z)
    return nib.Nifti1Image(weights.reshape(*img.shape[:3], -1), img.affine)


def masker_maps(fmri_path):
    """Hand the maps to nilearn's masker."""
    return NiftiMapsMasker(maps(fmri_path), standardize=None).fit_transform(fmri_path)


# %%
# The masker solves for all volumes at once, with all voxels of all maps and of the run in memory.
# But the normal equations need only two products: that of the maps with each other, once, and that
# of the maps with each volume. Since most weights are 0, a sparse matrix holds the maps.


def maps_one_pass(fmri_path):
    """Multiply each volume with the maps, and solve the normal equations."""
    img_maps = maps(fmri_path)
    refuse_other_grid(img_maps, nib.load(fmri_path), "maps", "linear")
    weights = np.asanyarray(img_maps.dataobj)
    weights = csr_array(weights.reshape(-1, weights.shape[3]), dtype=np.float64)
    weights.data[~np.isfinite(weights.data)] = 0
    products = []
    with opened_image(fmri_path) as img:
        for volume in range(img.shape[3]):
            values = np.nan_to_num(img.dataobj[..., volume], posinf=0, neginf=0)
            products.append(weights.T @ np.ravel(values))
    return np.array(products) @ pinvh((weights.T @ weights).toarray())


# %%
# What it costs
# -------------
# The methods for regions must all return the same signals. So must the two for cleaned signals,
# and the two for maps.

LABELS = [masker_path, masker_no_report, one_pass]
CLEANED = [masker_cleaned, one_pass_cleaned]
MAPS = [masker_maps, maps_one_pass]
# From a float32 file, nilearn cleans signals and solves for those of maps in single precision, and
# what cleaning leaves may be a thousandth of the signal.
TOLERANCE = 1e-3
RECOMMENDED = ["one_pass", "maps_one_pass"]
METHODS = [LABELS, [resample_atlas], CLEANED, MAPS]

if __name__ == "__main__":
    from benchmarks import compare

    comparison = compare([LABELS, [resample_atlas]], runs=3)
    print(comparison)

# %%
# The peak of the single pass is the atlas and one volume; that of the masker is at least the whole
# run.

if __name__ == "__main__":
    comparison.plot_memory()

# %%
# The methods for cleaned signals and for maps are compared on the first volumes of the run.

if __name__ == "__main__":
    print(compare([[one_pass], CLEANED], form="short", runs=3))
    print(compare(MAPS, form="short", runs=2))

# %%
# For a run that is eight times as long as these first volumes, the passes need no more memory.

if __name__ == "__main__":
    print(compare([[one_pass], [maps_one_pass]], form="x8", timed=False))
