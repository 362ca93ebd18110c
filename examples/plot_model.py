"""
First-level models
==================

What is the leanest way to fit a general linear model to a run, and to map a contrast?

nilearn's ``FirstLevelModel`` does all of it, from the file to the map. While it masks the run, it
holds every voxel of every volume in memory, although the model needs only those of the mask. This
page compares its settings, and masks the run volume by volume before the model sees it.

The chapter says what follows from it: :ref:`chapter_models`.
"""

# %%
# A mask and a design
# -------------------
# Both are made from the run itself, so that any file will do. The mask holds the brightest tenth
# of the voxels. The design has a block of five volumes in every ten, and one confound. Put your
# own in their place. ``repetition_time`` takes the time between volumes from the header, or two
# seconds if there is none; if yours is missing or wrong, give the seconds yourself.

# sphinx_gallery_thumbnail_path = '_static/thumbnails/model.svg'

import nibabel as nib
import numpy as np
import pandas as pd
from nilearn.glm import (
    compute_contrast,
    compute_fixed_effects,
    expression_to_contrast_vector,
)
from nilearn.glm.first_level import (
    FirstLevelModel,
    make_first_level_design_matrix,
    mean_scaling,
    run_glm,
)
from nilearn.maskers import NiftiMasker
from nilearn.masking import unmask

from benchmarks.recipes import mask_voxels, opened_image, repetition_time


def bright_mask(fmri_path):
    """Return a mask of the brightest tenth of the first volume."""
    img = nib.load(fmri_path)
    first = np.nan_to_num(img.dataobj[..., 0])
    bright = first >= np.quantile(first, 0.9)
    return nib.Nifti1Image(bright.astype("uint8"), img.affine)


def events_and_confounds(fmri_path):
    """Return a block of five volumes in every ten, and a confound like slow breathing."""
    volumes, t_r = np.arange(nib.load(fmri_path).shape[3]), repetition_time(nib.load(fmri_path))
    onsets = volumes[::10] * t_r
    events = pd.DataFrame({"onset": onsets, "duration": 5 * t_r, "trial_type": "task"})
    return events, pd.DataFrame({"breathing": np.sin(volumes)})


# %%
# With nilearn
# ------------
# ``FirstLevelModel`` makes the design matrix from the events and confounds. With the noise model
# ``ols``, every value counts the same. The mask is given within a masker: given the image alone,
# nilearn warns that it will not look for another one.


def bright_masker(fmri_path):
    """Return a masker with this mask."""
    return NiftiMasker(bright_mask(fmri_path), standardize=None).fit()


def model_ols(fmri_path):
    """Fit by ordinary least squares, and map the z scores."""
    events, confounds = events_and_confounds(fmri_path)
    t_r, masker = repetition_time(nib.load(fmri_path)), bright_masker(fmri_path)
    model = FirstLevelModel(t_r=t_r, mask_img=masker, noise_model="ols")
    model.fit(fmri_path, events, confounds)
    return model.compute_contrast("task")


# %%
# To make the design matrix, ``FirstLevelModel`` has to know how many volumes there are, and reads
# the whole run to find out. Given the matrix, it reads the run one time fewer, and ignores
# ``hrf_model``, ``drift_model``, ``high_pass``, ``slice_time_ref`` and ``t_r``: they have to be in
# the matrix.


def design_matrix(fmri_path):
    """Return the design matrix that ``FirstLevelModel`` makes."""
    events, confounds = events_and_confounds(fmri_path)
    times = np.arange(len(confounds)) * repetition_time(nib.load(fmri_path))
    return make_first_level_design_matrix(times, events, add_regs=confounds)


def model_ols_design(fmri_path):
    """Fit by ordinary least squares, given the design matrix."""
    model = FirstLevelModel(mask_img=bright_masker(fmri_path), noise_model="ols")
    model.fit(fmri_path, design_matrices=design_matrix(fmri_path))
    return model.compute_contrast("task")


# %%
# In the default noise model, ``ar1``, what the fit leaves over at one time is correlated with what
# it left over just before. Voxels with the same correlation, to a hundredth, are fitted together,
# and ``n_jobs`` shares these groups among processes.


def model_ar1(fmri_path, n_jobs=1):
    """Fit with autoregressive noise, and map the z scores."""
    events, confounds = events_and_confounds(fmri_path)
    t_r, masker = repetition_time(nib.load(fmri_path)), bright_masker(fmri_path)
    model = FirstLevelModel(t_r=t_r, mask_img=masker, noise_model="ar1", n_jobs=n_jobs)
    model.fit(fmri_path, events, confounds)
    return model.compute_contrast("task")


def model_ar1_two_jobs(fmri_path):
    """Fit with autoregressive noise in two processes."""
    return model_ar1(fmri_path, n_jobs=2)


# %%
# Masked first
# ------------
# The parts of ``FirstLevelModel`` are functions of nilearn that can be called one by one. The
# masking is left to NumPy, volume by volume, so that never more than one whole volume is in
# memory. As in ``FirstLevelModel``, unscaled integers become float32, and values that are not
# finite become zero. ``mask_voxels`` refuses a mask on another grid, and ``opened_image`` unpacks
# a .nii.gz with ``isal``.


def masked_rows(fmri_path, mask_img):
    """Return the voxels of a mask, an array a volume."""
    rows = []
    with opened_image(fmri_path) as img:
        mask = mask_voxels(mask_img, img)
        for volume in range(img.shape[3]):
            row = img.dataobj[..., volume][mask]
            row = row.astype(np.result_type(row, np.float32))
            rows.append(np.nan_to_num(row, copy=False, posinf=0, neginf=0))
    return rows


# %%
# ``run_glm`` fits the model. It needs several arrays as large as the signals, so it is given a
# tenth of the voxels at a time. The voxels do not depend on each other as long as the design
# matrix has a constant, which nilearn always puts there. ``mean_scaling`` turns the signals into
# percent of their mean, as ``FirstLevelModel`` does by default.


def masked_model(fmri_path, noise_model):
    """Mask the run first, fit a tenth of the voxels at a time, and map the z scores."""
    mask_img, design = bright_mask(fmri_path), design_matrix(fmri_path)
    contrast = expression_to_contrast_vector("task", list(design.columns))
    rows, z_scores = masked_rows(fmri_path, mask_img), []
    step = rows[0].size // 10 + 1
    for first in range(0, rows[0].size, step):
        signals, _ = mean_scaling(np.stack([row[first : first + step] for row in rows]))
        labels, fits = run_glm(signals, design.to_numpy(), noise_model)
        z_scores.append(compute_contrast(labels, fits, contrast).z_score())
    return unmask(np.concatenate(z_scores), mask_img)


def masked_ols(fmri_path):
    """Mask first, and fit by ordinary least squares."""
    return masked_model(fmri_path, "ols")


def masked_ar1(fmri_path):
    """Mask first, and fit with autoregressive noise."""
    return masked_model(fmri_path, "ar1")


# %%
# This gives up the report, smoothing and resampling, leaving out volumes (``sample_masks``), and
# the images of predicted signals, residuals and R². For a group analysis, take ``effect_size()``
# and ``effect_variance()`` of the contrast besides ``z_score()``. If you need anything else, or
# have enough memory, use ``FirstLevelModel``.

# %%
# What a fitted model keeps
# -------------------------
# These functions return the model and not a map. By default, the model keeps what contrasts need.
# With ``minimize_memory=False``, it also keeps the signals and the residuals, to make images of
# them.


def fitted_minimized(fmri_path, minimize_memory=True):
    """Return a fitted model that keeps what contrasts need."""
    masker = bright_masker(fmri_path)
    model = FirstLevelModel(mask_img=masker, noise_model="ols", minimize_memory=minimize_memory)
    return model.fit(fmri_path, design_matrices=design_matrix(fmri_path))


def fitted_whole(fmri_path):
    """Return a fitted model that keeps the signals and the residuals too."""
    return fitted_minimized(fmri_path, minimize_memory=False)


# %%
# Four runs of a subject
# ----------------------
# ``FirstLevelModel`` takes a list of runs, and one contrast gives their fixed effects. Otherwise
# each run has a model of its own, and ``compute_fixed_effects`` combines their maps. Here one file
# stands for all four runs.


def four_runs_together(fmri_path):
    """Fit four runs in one model, and map the t values of their fixed effects."""
    runs, designs = [fmri_path] * 4, [design_matrix(fmri_path)] * 4
    model = FirstLevelModel(mask_img=bright_masker(fmri_path), noise_model="ols")
    model.fit(runs, design_matrices=designs)
    return model.compute_contrast(["task"] * 4, output_type="stat")


def four_runs_one_by_one(fmri_path):
    """Fit one run after the other, and map the t values of their fixed effects."""
    masker, maps = bright_masker(fmri_path), []
    for run in [fmri_path] * 4:
        model = FirstLevelModel(mask_img=masker, noise_model="ols")
        model.fit(run, design_matrices=design_matrix(run))
        maps.append(model.compute_contrast("task", output_type="all"))
    effects = [of_run["effect_size"] for of_run in maps]
    variances = [of_run["effect_variance"] for of_run in maps]
    return compute_fixed_effects(effects, variances, masker)[2]


# %%
# What it costs
# -------------
# All methods that fit the same model must return the same map. Ordinary least squares comes first.

OLS = [model_ols, model_ols_design, masked_ols]
AR1 = [model_ar1, masked_ar1]
JOBS = [model_ar1, model_ar1_two_jobs]
KEPT = [[fitted_minimized], [fitted_whole]]
FOUR_RUNS = [four_runs_together, four_runs_one_by_one]
LONGER = [model_ols, masked_ols]
RECOMMENDED = ["masked_ols", "masked_ar1"]
METHODS = [OLS, [*AR1, model_ar1_two_jobs], *KEPT, FOUR_RUNS]

if __name__ == "__main__":
    from benchmarks import compare

    least_squares = compare(OLS, form="short", runs=3)
    print(least_squares)

# %%
# With autoregressive noise.

if __name__ == "__main__":
    autoregressive = compare(AR1, form="short", runs=3)
    print(autoregressive)

# %%
# The time of each method.

if __name__ == "__main__":
    autoregressive.plot_time()

# %%
# Memory over time shows where the peak is: while the run is masked, and not while the model is
# fitted.

if __name__ == "__main__":
    autoregressive.plot_memory_over_time()

# %%
# One process against two workers, which an earlier call has started. Two workers are timed once.

if __name__ == "__main__":
    print(compare(JOBS, form="short", runs=1))

# %%
# What a fitted model keeps.

if __name__ == "__main__":
    print(compare(KEPT, form="short", timed=False, runs=1))

# %%
# Memory of four runs, fitted together or one by one. Time is not measured here.

if __name__ == "__main__":
    print(compare(FOUR_RUNS, form="short", timed=False, runs=1))

# %%
# And a run that is four times as long.

if __name__ == "__main__":
    print(compare(LONGER, form="x4", timed=False, runs=1))
