"""First-level models: masked first, the maps are those of nilearn, and a wrong mask is refused."""

import runpy

import kinds
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from conftest import save_run

from benchmarks.files import EXAMPLES
from benchmarks.gauge import conditions

SHAPE = (10, 9, 8, 40)

# Batches of voxels are multiplied by other kernels of the linear algebra than all of them at once:
# some tens of the rounding error of float64, relative to the largest value of the map.
TOLERANCE = 1e-12

FILES = kinds.FILES | {"NaN": {"name": "bold.nii.gz", "dtype": np.float32}}


@pytest.fixture(scope="module")
def here():
    """Return the definitions of the example."""
    yield runpy.run_path(str(EXAMPLES / "plot_model.py"), run_name="definitions")
    conditions.end_workers()


def saved(folder, kind):
    """Write a run of one kind, with an effect of the task in some voxels."""
    choices = dict(FILES[kind])
    path = save_run(folder / choices.pop("name"), shape=SHAPE, **choices)
    if kind == "NaN":
        img = nib.load(path)
        data = img.get_fdata(dtype=np.float32)
        data[::3, ::2, 1, 7] = np.nan
        data[::2, ::3, 2, 9] = np.inf
        nib.save(nib.Nifti1Image(data, img.affine, img.header), path)
    return path


def difference(one, other):
    one, other = one.get_fdata(), other.get_fdata()
    return np.abs(one - other).max() / np.abs(other).max()


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(
    ("masked", "usual"), [("masked_ols", "model_ols"), ("masked_ar1", "model_ar1")]
)
def test_masked_first_the_map_is_that_of_nilearn(here, masked, usual, kind, tmp_path):
    path = saved(tmp_path, kind)
    ours, theirs = here[masked](path), here[usual](path)
    assert np.isfinite(theirs.get_fdata()).all()
    assert np.abs(theirs.get_fdata()).max() > 1
    assert difference(ours, theirs) < TOLERANCE
    np.testing.assert_array_equal(ours.affine, theirs.affine)


def test_a_tenth_of_the_voxels_is_all_that_is_fitted_at_a_time(here, tmp_path, monkeypatch):
    seen, original = [], here["run_glm"]

    def noted(signals, *others):
        seen.append(signals.shape)
        return original(signals, *others)

    monkeypatch.setitem(here["masked_model"].__globals__, "run_glm", noted)
    here["masked_ols"](saved(tmp_path, "int16"))
    in_mask = int(np.ceil(0.1 * np.prod(SHAPE[:3])))
    assert {volumes for volumes, _ in seen} == {SHAPE[3]}
    assert sum(voxels for _, voxels in seen) == in_mask
    assert max(voxels for _, voxels in seen) <= in_mask // 10 + 1


def test_the_design_is_that_of_nilearn(here, tmp_path):
    path = saved(tmp_path, "int16")
    events, confounds = here["events_and_confounds"](path)
    model = here["FirstLevelModel"](
        t_r=here["repetition_time"](nib.load(path)), mask_img=here["bright_masker"](path)
    ).fit(path, events, confounds)
    pd.testing.assert_frame_equal(here["design_matrix"](path), model.design_matrices_[0])


def test_a_mask_on_another_grid_is_refused(here, tmp_path):
    path = saved(tmp_path, "int16")
    mask_img = here["bright_mask"](path)
    shifted = nib.Nifti1Image(mask_img.get_fdata().astype("uint8"), mask_img.affine + np.eye(4))
    smaller = nib.Nifti1Image(mask_img.get_fdata()[:-1].astype("uint8"), mask_img.affine)
    for wrong in (shifted, smaller):
        with pytest.raises(ValueError, match="not on the grid of the image"):
            here["masked_rows"](path, wrong)


def test_four_runs_together_and_one_by_one_give_the_same_map(here, tmp_path):
    path = saved(tmp_path, "int16, scaled")
    together, apart = here["four_runs_together"](path), here["four_runs_one_by_one"](path)
    assert difference(apart, together) < TOLERANCE
    # The same run four times has the same effect, and half its error.
    single = here["FirstLevelModel"](mask_img=here["bright_masker"](path), noise_model="ols")
    single.fit(path, design_matrices=here["design_matrix"](path))
    of_one = single.compute_contrast("task", output_type="stat").get_fdata()
    np.testing.assert_allclose(together.get_fdata(), 2 * of_one, rtol=1e-9, atol=1e-12)


def test_only_a_whole_fitted_model_keeps_the_signals(here, tmp_path):
    path = saved(tmp_path, "int16")
    whole, minimized = (
        here[name](path).results_[0][0.0] for name in ("fitted_whole", "fitted_minimized")
    )
    assert whole.Y.shape[0] == whole.whitened_residuals.shape[0] == SHAPE[3]
    assert not hasattr(minimized, "Y")
    np.testing.assert_array_equal(whole.theta, minimized.theta)
