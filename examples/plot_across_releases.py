"""
Across releases
===============

Did a new release of nilearn or nibabel make my work faster, or slower?

The ways of this site were measured under several releases, on the same machine and the same run.
The releases took turns, so that a machine that becomes slower does so for all of them.
"""

# sphinx_gallery_thumbnail_path = '_static/thumbnails/across_releases.svg'

# %%
# What changed
# ------------
# A change is marked between two releases if no run from before it reaches a run from after it. And
# it has to be large enough to matter: half as long again for a time, a quarter more for a peak. A
# release that was measured at a bad moment is no change, since its neighbours reach across.

if __name__ == "__main__":
    from benchmarks import compare_releases

    across = compare_releases()
    print(across)

# %%
# Loading
# -------
# Every dot is a run, and the line goes through the medians. An upright line marks a change.

if __name__ == "__main__":
    across.plot("load", "time")

# %%
# The peaks of the same ways.

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
# Functions of nilearn that open the image themselves changed when ``load_img`` did.

if __name__ == "__main__":
    across.plot("extract_volume", "time")

# %%
# Their peaks changed in the same release.

if __name__ == "__main__":
    across.plot("extract_volume", "peak")

# %%
# Simple math, and masks, in parallel
# -----------------------------------
# These were measured on the first volumes of the run.

if __name__ == "__main__":
    across.plot("math_in_parallel", "time")

# %%
# The masks.

if __name__ == "__main__":
    across.plot("mask_in_parallel", "time")

# %%
# Where several workers share the work, it is chance whether they reach their peaks at the same
# moment. Such a peak has to double before a change is marked.

if __name__ == "__main__":
    across.plot("mask_in_parallel", "peak")

# %%
# Measure it yourself
# -------------------
# This page shows what was measured on the machine and the run of its caption. To measure on yours:
#
# .. code-block:: console
#
#    $ make releases FMRI=my_bold.nii.gz
#
# That makes an environment for each release, and takes some minutes for a short run. The list of
# releases is in ``benchmarks/releases/environments.py``.
