"""
Caching
=======

I run the same script again and again. When does a cache save time, and what does it cost?

Maskers and models of nilearn take a folder as ``memory``. ``joblib`` keeps there what they have
computed, and returns it when the same is asked for again. To know whether it is the same, it
hashes everything that goes in. So it matters what goes in: a path is short, and a loaded image is
large.

The chapter says what follows from it: :ref:`chapter_caching`.
"""

# %%
# Without a cache
# ---------------
# A masker smooths the run, takes the signals of the voxels in a mask, and cleans them. The mask
# holds the brightest tenth of the voxels, so that any file will do.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/caching.svg'

import getpass
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn.maskers import NiftiMasker


def bright_mask(img):
    """Return a mask of the brightest tenth of the first volume."""
    first = np.nan_to_num(img.dataobj[..., 0])
    bright = first >= np.quantile(first, 0.9)
    return nib.Nifti1Image(bright.astype("uint8"), img.affine)


def cleaned(fmri_path, memory=None, reports=True):
    """Return the signals of the mask, smoothed and standardized."""
    masker = NiftiMasker(
        bright_mask(nib.load(fmri_path)),
        smoothing_fwhm=6,
        detrend=True,
        standardize="zscore_sample",
        memory=memory,
        reports=reports,
    )
    return masker.fit_transform(fmri_path)


def no_cache(fmri_path):
    """Compute the signals."""
    return cleaned(fmri_path)


# %%
# With a cache
# ------------
# The first call computes the signals, and writes them into the folder. Here the folder is new each
# time, so that every call is a first one.


def first_call(fmri_path):
    """Compute the signals, and keep them in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        return cleaned(fmri_path, folder)


# %%
# A second call, with the same path, mask and settings, finds them there. Choose a folder of your
# project into which nobody else can write, since joblib trusts what it finds there to be its own.
# The one for temporary files, which is used here, is emptied from time to time.


def kept_folder():
    """Return a folder that stays from call to call."""
    return str(Path(tempfile.gettempdir(), f"nilearn_cache-{getpass.getuser()}"))


def second_call(fmri_path):
    """Take the signals from the folder, if an earlier call has left them there."""
    return cleaned(fmri_path, kept_folder())


# %%
# When a masker is fitted, it reads the volume in the middle of the run, to show it in its report.
# In a compressed file, the first half of the run has to be unpacked for that, and the cache does
# not help. ``reports=False`` avoids it.


def second_call_no_report(fmri_path, folder=None):
    """Take the signals from a folder, and prepare no report."""
    return cleaned(fmri_path, folder or kept_folder(), reports=False)


# %%
# An image in memory
# ------------------
# The hash of a loaded image is computed from all of its voxels. Here the masker only takes the
# voxels of the mask, which is little work. A proxy image, such as ``load_img`` returns, was not
# tried.


def masked_loaded(fmri_path, memory=None):
    """Load the image, and mask it."""
    img = nib.load(fmri_path)
    img.get_fdata()
    masker = NiftiMasker(bright_mask(img), standardize=None, memory=memory, reports=False)
    return masker.fit().transform(img)


def masked_loaded_second_call(fmri_path):
    """Load the image, and find it masked in the folder."""
    return masked_loaded(fmri_path, kept_folder())


# %%
# What is kept
# ------------
# Each combination of settings leaves files of its own, and nothing removes them. ``joblib.Memory``
# has ``reduce_size`` and ``clear`` for that.


def disk_for_each_byte(fmri_path):
    """Return how many bytes a first call leaves in the folder for each byte of the signals."""
    with tempfile.TemporaryDirectory() as folder:
        signals = cleaned(fmri_path, folder)
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        return sum(path.stat().st_size for path in files) / signals.nbytes


# %%
# A path says nothing about what is in the file. Here the first three volumes are written and
# masked. Then every other volume is written to the same path.


def change_is_noticed(fmri_path):
    """Is a changed file noticed, by its path, and by the loaded image?"""
    img, found = nib.load(fmri_path), []
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/run.nii"
        for volumes in (slice(0, 3), slice(0, 6, 2)):
            nib.save(img.slicer[..., volumes], path)
            found.append([cleaned(path, folder), masked_loaded(path, folder)])
    return tuple(not np.array_equal(before, after) for before, after in zip(*found))


# %%
# What it costs
# -------------
# All methods must return the same signals.

WAYS = [no_cache, first_call, second_call, second_call_no_report]
LOADED = [masked_loaded, masked_loaded_second_call]
LOOKED_AT = [[disk_for_each_byte], [change_is_noticed]]
RECOMMENDED = ["second_call_no_report"]
METHODS = [WAYS, LOADED, *LOOKED_AT]

if __name__ == "__main__":
    from benchmarks import compare

    comparison = compare(WAYS, form="short", runs=3)
    print(comparison)

# %%
# The time of each method.

if __name__ == "__main__":
    comparison.plot_time()

# %%
# The peak of a second call is little more than the signals.

if __name__ == "__main__":
    comparison.plot_memory()

# %%
# A loaded image, masked without a cache, and with one that has its signals.

if __name__ == "__main__":
    print(compare(LOADED, form="short", runs=3))

# %%
# How many bytes are left in the folder for each byte of the signals; and whether a changed file
# was noticed, given its path and given the loaded image.

if __name__ == "__main__":
    print(compare(LOOKED_AT, form="short", timed=False, runs=1).observed().text())
