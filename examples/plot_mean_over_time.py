"""
Mean over time
==============

What is the leanest way to average a BOLD run over time?

The mean image is often the first thing that is computed from a run. nilearn has a function
for it. That function reads the whole run into memory before it averages. The arithmetic
does not need that: a sum can grow volume by volume.
"""

# %%
# With nilearn
# ------------
# ``mean_img`` takes an image or a path. Here the image comes from nilearn's own loader.

import nibabel as nib
import numpy as np
from nilearn.image import load_img, mean_img


def mean_load_img(fmri_path):
    """Average an image that nilearn opened."""
    return mean_img(load_img(fmri_path), copy_header=True)


# %%
# And here from nibabel's. Both are proxy images, so ``mean_img`` reads the data in both
# cases.


def mean_nibabel(fmri_path):
    """Average an image that nibabel opened."""
    return mean_img(nib.load(fmri_path), copy_header=True)


# %%
# Volume by volume
# ----------------
# ``dataobj`` reads only the part of the file that is asked for. A loop over the volumes needs
# memory for one volume and for the sum.
#
# ``keep_file_open=True`` matters for a compressed file. Without it, each volume opens the
# file again and unpacks it from the start.


def mean_volume_by_volume(fmri_path):
    """Add up the volumes one after the other."""
    img = nib.load(fmri_path, keep_file_open=True)
    total = np.zeros(img.shape[:3])
    for volume in range(img.shape[3]):
        total += img.dataobj[..., volume]
    return nib.Nifti1Image(total / img.shape[3], img.affine)


# %%
# This is the same loop without it.


def mean_file_reopened(fmri_path):
    """Add up the volumes, and open the file again for each of them."""
    img = nib.load(fmri_path)
    total = np.zeros(img.shape[:3])
    for volume in range(img.shape[3]):
        total += img.dataobj[..., volume]
    return nib.Nifti1Image(total / img.shape[3], img.affine)


# %%
# What it costs
# -------------
# Every method runs several times, in new Python processes. All of them must return the same
# mean image, or nothing is shown.

WAYS = [mean_load_img, mean_nibabel, mean_volume_by_volume]
LOOPS = [mean_volume_by_volume, mean_file_reopened]
METHODS = [*WAYS, mean_file_reopened]

if __name__ == "__main__":
    from benchmarks import compare

    comparison = compare(WAYS)
    print(comparison)

# %%
# The two ways through ``mean_img`` take the same time. It makes no difference which library
# opened the file.

if __name__ == "__main__":
    comparison.plot_time()

# %%
# The peak of the loop is a few volumes. The peak of ``mean_img`` is at least the whole run.

if __name__ == "__main__":
    comparison.plot_memory()

# %%
# The two loops are compared on the first volumes of the run, so that the one that opens the
# file again comes to an end soon.

if __name__ == "__main__":
    print(compare(LOOPS, form="short"))
