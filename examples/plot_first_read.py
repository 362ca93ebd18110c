"""
The first read of a file
========================

Why is my script slow the first time, and fast the second?

Linux keeps files that were read in memory that nobody else needs, the *page cache*. A file is
*warm* if it is there, and *cold* if it has to come from the disk. Nearly all figures of this site
are of warm files, so that they say what the libraries cost, and not what the disk does. This page
has both.

The file is dropped from the page cache before each run that is called cold, and the kernel is
asked whether it is gone. Where it stays, because the file system is itself in memory, the table
says *stays warm* and has no figure. What a virtual machine or a disk keeps in a memory of its own
cannot be dropped, and makes a cold file faster than it would be elsewhere.

The chapter says what follows from it: :ref:`chapter_first_read`.
"""

# %%
# Opening
# -------
# Opening reads the header and no voxel.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/first_read.svg'

import nibabel as nib
import numpy as np
from nilearn.image import mean_img


def opened(fmri_path):
    """Open the image."""
    return nib.load(fmri_path)


# %%
# Mapping
# -------
# A plain file of voxels without scaling is *mapped*: the array is there at once, and each page of
# the file is read when one of its voxels is used.


def voxels_mapped(fmri_path):
    """Map the voxels of a plain file, and use none of them."""
    return np.asanyarray(nib.load(fmri_path).dataobj)


# %%
# Reading
# -------
# With ``mmap=False`` nibabel reads the file from beginning to end instead. A compressed file can
# only be read in this way, whatever the argument.


def voxels_read(fmri_path):
    """Read every voxel in the type of the file."""
    return np.asanyarray(nib.load(fmri_path, mmap=False).dataobj)


# %%
# The mean over time
# ------------------
# ``mean_img`` uses every voxel, of a mapped file and of one that is read.


def mean_mapped(fmri_path):
    """Average a plain file that is mapped."""
    return mean_img(nib.load(fmri_path), copy_header=True)


def mean_read(fmri_path):
    """Average a file that is read from beginning to end."""
    return mean_img(nib.load(fmri_path, mmap=False), copy_header=True)


# %%
# The same from the disk
# ----------------------
# ``COLD_CACHE`` below names these functions, so that they find a cold file.


def opened_cold(fmri_path):
    """Open the image of a cold file."""
    return opened(fmri_path)


def voxels_mapped_cold(fmri_path):
    """Map the voxels of a cold plain file, and use none of them."""
    return voxels_mapped(fmri_path)


def voxels_read_cold(fmri_path):
    """Read every voxel of a cold file in the type of the file."""
    return voxels_read(fmri_path)


def mean_mapped_cold(fmri_path):
    """Average a cold plain file that is mapped."""
    return mean_mapped(fmri_path)


def mean_read_cold(fmri_path):
    """Average a cold file that is read from beginning to end."""
    return mean_read(fmri_path)


# %%
# What it costs
# -------------
# The file is the run as int16 without scaling, so that a plain one can be mapped. In the groups
# below, all functions return the same.

COLD_CACHE = [
    "opened_cold",
    "voxels_mapped_cold",
    "voxels_read_cold",
    "mean_mapped_cold",
    "mean_read_cold",
]
OPENED = [opened, opened_cold]
READ = [voxels_read, voxels_read_cold]
MEAN = [mean_read, mean_read_cold]
MAPPED = [voxels_mapped, voxels_mapped_cold]
MEAN_MAPPED = [mean_mapped, mean_mapped_cold]
ENDINGS = {
    "voxels_mapped": ".nii",
    "voxels_mapped_cold": ".nii",
    "mean_mapped": ".nii",
    "mean_mapped_cold": ".nii",
}
METHODS = [OPENED, [*MAPPED, *READ], [*MEAN_MAPPED, *MEAN]]

if __name__ == "__main__":
    from benchmarks import compare

    print(compare(METHODS, form="int16_nii", runs=3))

# %%
# That was a plain file. Mapping alone waits for nothing, whether the file is warm or cold: who
# uses the voxels waits.
#
# Now the same voxels in a compressed file. There is less to fetch, and unpacking it takes longer
# than that on most disks.

if __name__ == "__main__":
    print(compare([OPENED, READ, MEAN], form="int16_nii_gz", runs=3))
