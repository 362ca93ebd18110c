"""
Your own workflow
=================

What does my own function need, the one that smooths, masks or fits?

Any function that takes the path of a file can be measured as the ways of this site are. Write
it, put it into a list, and hand the list to ``compare``. This page does so with three steps of
a usual analysis. Replace them with yours.

The page :doc:`/your_own_data` shows the other ways to measure on your own file.
"""

# sphinx_gallery_thumbnail_path = '_static/thumbnails/your_own_workflow.svg'

# %%
# Smoothing
# ---------
# A function gets the path, and returns what you would go on with. It has to import what it
# needs, or use what is imported above it in the same file.

import numpy as np
import pandas as pd
from nilearn.glm.first_level import FirstLevelModel
from nilearn.image import load_img, smooth_img
from nilearn.maskers import NiftiMasker


def smoothed(fmri_path):
    """Smooth every volume with a kernel of 6 mm."""
    return smooth_img(fmri_path, fwhm=6)


# %%
# A masker
# --------
# The masker finds a mask, reads the voxels in it, and standardizes the signal of each voxel.


def masked(fmri_path):
    """Standardize the signals of all voxels within a mask."""
    masker = NiftiMasker(mask_strategy="epi", standardize="zscore_sample")
    return masker.fit_transform(fmri_path)


# %%
# A model
# -------
# A general linear model of a signal that goes up and down every ten volumes. Your own design
# matrix goes in the same place.


def modelled(fmri_path):
    """Fit a general linear model, and map the z values of its signal."""
    volumes = np.arange(load_img(fmri_path).shape[3])
    design = pd.DataFrame({"signal": np.sin(volumes * np.pi / 10), "constant": 1.0})
    model = FirstLevelModel(noise_model="ols").fit(fmri_path, design_matrices=design)
    return model.compute_contrast("signal", output_type="z_score")


# %%
# What each step costs
# --------------------
# The functions of an inner list would have to return the same. Here each stands alone. To
# measure on a file of your own, write its path behind the list, or behind the name of this
# script. Here it is the first volumes of the run, so that the page is made soon.

STEPS = [[smoothed], [masked], [modelled]]

if __name__ == "__main__":
    from benchmarks import compare

    comparison = compare(STEPS, form="short", runs=3)
    print(comparison)

# %%
# The memory of each step over time shows where its peak is.

if __name__ == "__main__":
    comparison.plot_memory_over_time()

# %%
# One call, without a list
# ------------------------
# ``measure`` takes a function and its arguments, whatever they are.
#
# .. code-block:: python
#
#     from benchmarks import measure
#
#     result = measure(smoothed, "my_bold.nii.gz")
#     print(result.wall_seconds.median, result.peak_bytes.median, result.kept_bytes.median)
#
# In IPython and Jupyter, ``%measure`` takes any expression, and ``%%measure`` a whole cell. The
# names that it uses travel to the new process. What cannot travel, such as a generator, is
# an error that says so.
#
# .. code-block:: ipython
#
#     %load_ext benchmarks
#     %measure smoothed("my_bold.nii.gz")
