"""
Across releases
===============

Did a new release of nilearn or nibabel make my work faster, or slower?

Methods of this site were measured under several releases, on one machine and one run. The releases
took turns, so that a machine that becomes slower does so for all of them.
"""

# %%
# What changed
# ------------
# The table has every figure that changed, and the release that changed it. The page
# :doc:`/releases` says when a difference counts as a change.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/across_releases.svg'

if __name__ == "__main__":
    from benchmarks import compare_releases

    across = compare_releases()
    print(across)

# %%
# Loading
# -------
# Every dot is a repeat, and the line goes through the medians. A vertical line marks a change.

if __name__ == "__main__":
    across.plot("load", "time")

# %%
# The peaks of the same methods.

if __name__ == "__main__":
    across.plot("load", "peak")

# %%
# The mean over time
# ------------------
# What does not use nilearn, such as a loop over ``dataobj``, should not change when nilearn does.

if __name__ == "__main__":
    across.plot("mean_over_time", "time")

# %%
# One volume
# ----------
# Functions of nilearn that open the image themselves changed together with ``load_img``.

if __name__ == "__main__":
    across.plot("extract_volume", "time")

# %%
# Their peaks changed in the same release, too.

if __name__ == "__main__":
    across.plot("extract_volume", "peak")

# %%
# Simple math, and masks, in parallel
# -----------------------------------
# Both were measured on the first volumes of the run. Simple math comes first.

if __name__ == "__main__":
    across.plot("math_in_parallel", "time")

# %%
# Then masks.

if __name__ == "__main__":
    across.plot("mask_in_parallel", "time")

# %%
# The peaks for masks. Where several workers share the work, it is a matter of chance whether
# they peak at the same moment, so only a large difference counts as a change.

if __name__ == "__main__":
    across.plot("mask_in_parallel", "peak")

# %%
# Signals, cleaning and models
# ----------------------------
# Their peaks, on the first volumes of the run. First the signals of an atlas.

if __name__ == "__main__":
    across.plot("atlas_signals", "peak")

# %%
# Cleaning a run.

if __name__ == "__main__":
    across.plot("clean", "peak")

# %%
# First-level models.

if __name__ == "__main__":
    across.plot("model", "peak")

# %%
# Measure it yourself
# -------------------
# This page shows figures of the machine and the run in its captions. To measure on your own:
#
# .. code-block:: console
#
#    $ make releases FMRI=my_bold.nii.gz
#
# This makes an environment for each release, and takes some minutes for a short run. The list of
# releases is in ``benchmarks/releases/environments.py``.
