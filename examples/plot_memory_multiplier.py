"""
The memory multiplier
=====================

My file holds one gigabyte of voxels. How much memory does it take to read it?

The answer is a multiple of the *raw size*: the number of voxels times the bytes of a voxel in the
file, before compression. This page finds the multiple for several kinds of files and several
methods to read them. Each method ends with the mean over time, so that all of them do the same
work.

The page :doc:`/memory_multiplier` says what follows from it.
"""

# %%
# Four methods to read
# --------------------
# nilearn's ``mean_img`` takes the path.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/memory_multiplier.svg'

import nibabel as nib
import numpy as np
from nilearn.image import mean_img


def with_mean_img(fmri_path):
    """Let nilearn read the run."""
    return mean_img(fmri_path, copy_header=True)


# %%
# ``get_fdata`` converts to float64, unless it is asked for float32.


def with_get_fdata(fmri_path):
    """Read the run as float64."""
    return nib.load(fmri_path).get_fdata().mean(axis=3)


def with_float32(fmri_path):
    """Read the run as float32."""
    data = nib.load(fmri_path).get_fdata(dtype=np.float32)
    return data.mean(axis=3, dtype=np.float64)


# %%
# ``dataobj`` keeps the type of the file. The values become floats only where the header asks for
# scaling.


def with_dataobj(fmri_path):
    """Read the run in the type of the file."""
    return np.asanyarray(nib.load(fmri_path).dataobj).mean(axis=3, dtype=np.float64)


# %%
# The same through indexed_gzip
# -----------------------------
# Where the package ``indexed_gzip`` can be imported, nibabel unpacks compressed files with it.
# Here only these two methods can import it.


def indexed_mean_img(fmri_path):
    """Let nilearn read the run, with indexed_gzip at hand."""
    import indexed_gzip

    return mean_img(fmri_path, copy_header=True)


def indexed_dataobj(fmri_path):
    """Read the run in the type of the file, with indexed_gzip at hand."""
    import indexed_gzip

    return np.asanyarray(nib.load(fmri_path).dataobj).mean(axis=3, dtype=np.float64)


# %%
# What it costs
# -------------
# The first volumes of the run are written to eight files: as int16, as int16 with a slope, as
# int16 with a slope and an intercept, and as float32, each of them plain and compressed. Then
# every method is measured on every file.
#
# Each cell of the table is the peak divided by the raw size of that file. With ``indexed_gzip``,
# some of the peak is memory that the package holds for itself, and does not grow with the file:
# for a longer run, these two multipliers are smaller.

PLAIN = [with_mean_img, with_get_fdata, with_float32, with_dataobj]
METHODS = [*PLAIN, indexed_mean_img, indexed_dataobj]

if __name__ == "__main__":
    from benchmarks import compare_forms

    files = {
        f"{voxels}_{ending}": METHODS if ending == "nii_gz" else PLAIN
        for voxels in ("int16", "scaled", "shifted", "float32")
        for ending in ("nii", "nii_gz")
    }
    crossing = compare_forms(files, quantity="multiplier", timed=False, runs=2)
    print(crossing)

# %%
# The same table as a picture. The darker a cell is, the more memory it needs.

if __name__ == "__main__":
    crossing.plot_heat()
