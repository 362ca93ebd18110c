"""
Your own workflow
=================

What does my own function need, on my own file?

Download this script, put your function in the place of the ones below, and run it on your file:

.. code-block:: console

   $ python my_workflow.py my_bold.nii.gz

Each function is called several times, in Python processes of its own, and is watched from outside.
So nothing has to be added to your code.

The page :doc:`/your_own_data` shows what else you can measure on your own file.
"""

# %%
# Your function
# -------------
# Your function takes the path of the run and returns what you would go on with. It may use
# everything that is imported or defined in the same file. It is called more than once, so if it
# writes a file, have it write into the folder for temporary files. Here it maps the temporal
# signal-to-noise ratio: the mean of each voxel divided by its standard deviation.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/your_own_workflow.svg'

import nibabel as nib
import numpy as np


def ratio_map(mean, deviation, affine):
    """Divide, and leave zero where nothing varies."""
    ratio = np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 0)
    return nib.Nifti1Image(ratio, affine)


def my_function(fmri_path):
    """Read the run, and compute the ratio of all voxels at once."""
    img = nib.load(fmri_path)
    data = img.get_fdata()
    return ratio_map(data.mean(axis=3), data.std(axis=3), img.affine)


# %%
# Another method for the same result
# ----------------------------------
# If you have an idea how to make it faster or leaner, write a second function. This one goes
# through the volumes, and adds up how they differ from the first volume, and the squares of that.


def my_leaner_function(fmri_path):
    """Compute the ratio from sums that grow volume by volume."""
    img = nib.load(fmri_path, keep_file_open=True)
    first = np.asarray(img.dataobj[..., 0], dtype=float)
    total, squares = np.zeros_like(first), np.zeros_like(first)
    for volume in range(1, img.shape[3]):
        difference = img.dataobj[..., volume] - first
        total += difference
        squares += difference**2
    mean = total / img.shape[3]
    deviation = np.sqrt(squares / img.shape[3] - mean**2)
    return ratio_map(first + mean, deviation, img.affine)


# %%
# A function with settings
# ------------------------
# A function that is measured takes a path and nothing else, so put settings into a function around
# it. To measure only a part of your work, save what that part starts from, and load it in the
# function.


def my_settings(fmri_path):
    """Compute the ratio without the first four volumes."""
    img = nib.load(fmri_path)
    data = img.get_fdata()[..., 4:]
    return ratio_map(data.mean(axis=3), data.std(axis=3), img.affine)


# %%
# What it costs
# -------------
# The functions in one inner list have to return the same, or the comparison ends with an error
# that names two of them and how far apart their results are. ``TOLERANCE`` says how far apart they
# may be. A function that returns something else gets a list of its own.
#
# ``form="short"`` measures on the first volumes of your file, which takes seconds. Leave it out to
# measure on all of it. ``runs`` says how often each function is timed.

TOLERANCE = 1e-6  # both compute in float64, but add up in another order
MINE = [[my_function, my_leaner_function], [my_settings]]

if __name__ == "__main__":
    from benchmarks import compare

    comparison = compare(MINE, form="short", runs=3)
    print(comparison)

# %%
# *Peak* is what the function needs on top of what was there before, *kept* is what its result
# holds, and *multiplier* is the peak divided by the raw size of the run. Multiply it by the raw
# size of a longer run to see roughly what that one would need.
#
# Memory over time shows where the peak is, and so which line to look at first.

if __name__ == "__main__":
    comparison.plot_memory_over_time()

# %%
# One call, without a list
# ------------------------
# ``measure`` takes any function and its arguments, whatever they are.
#
# .. code-block:: python
#
#     from benchmarks import measure
#
#     result = measure(my_function, "my_bold.nii.gz")
#     print(result.wall_seconds.median, result.peak_bytes.median, result.kept_bytes.median)
#
# In IPython and Jupyter, ``%measure`` takes any expression, and ``%%measure`` a whole cell. The
# objects that it uses are sent to the new process. For one that cannot be sent, such as a
# generator, an error says so.
#
# .. code-block:: ipython
#
#     %load_ext benchmarks
#     %measure my_function("my_bold.nii.gz")
