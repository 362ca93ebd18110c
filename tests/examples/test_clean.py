import runpy

import kinds
import nibabel as nib
import numpy as np
import pytest
from conftest import save_run

from benchmarks.files import EXAMPLES

HERE = runpy.run_path(str(EXAMPLES / "plot_clean.py"), run_name="definitions")

#: Two blocks of voxels.
SHAPE = (31, 30, 23, 60)


def saved(folder, name, **choices):
    return str(save_run(folder / name, shape=SHAPE, **choices))


@pytest.mark.parametrize("kind", kinds.FILES)
def test_blocks_return_the_image_of_clean_img(kind, tmp_path):
    path = saved(tmp_path, **kinds.FILES[kind])
    expected = HERE["masked_at_once"](path).get_fdata()
    found = HERE["masked_blocks"](path).get_fdata()
    assert found.shape == (*SHAPE[:3], 54)
    inside = HERE["brain"](path).get_fdata() > 0
    assert 0 < inside.sum() < inside.size
    assert not found[~inside].any()
    np.testing.assert_allclose(found, expected, atol=1e-4 * abs(expected).max())


@pytest.mark.filterwarnings("ignore:Non-finite values detected:UserWarning")
def test_values_that_are_not_finite_count_as_zero_as_in_nilearn(tmp_path):
    path = saved(tmp_path, "a.nii", dtype=np.float32)
    img = nib.load(path)
    data = img.get_fdata(dtype=np.float32).copy()
    data[5:9, :, :, 1::7], data[10:14, ..., 3] = np.nan, np.inf
    data[20, 20, 20], data[12, 12, 12, 0] = np.nan, np.inf
    holes = tmp_path / "holes.nii.gz"
    nib.save(nib.Nifti1Image(data, img.affine, img.header), holes)
    expected = HERE["masked_at_once"](str(holes)).get_fdata()
    found = HERE["masked_blocks"](str(holes)).get_fdata()
    assert np.isfinite(expected).all()
    assert np.isfinite(HERE["whole_at_once"](str(holes)).dataobj).all()
    np.testing.assert_allclose(found, expected, atol=1e-4 * abs(expected).max())


def test_the_filter_returns_the_same_for_all_voxels_at_once(tmp_path):
    path = saved(tmp_path, "a.nii.gz", slope=2.0)  # nilearn computes with it in float64
    one_by_one, at_once = (HERE[name](path) for name in ("some_as_usual", "some_at_once"))
    assert np.count_nonzero(np.any(at_once.get_fdata(), axis=3)) == HERE["SOME_VOXELS"]
    np.testing.assert_allclose(one_by_one.get_fdata(), at_once.get_fdata(), atol=1e-9)


def test_a_walk_is_removed_from_the_signals(tmp_path):
    """Of a voxel that is nothing but a confound and a trend, a constant is left."""
    path = saved(tmp_path, "a.nii", dtype=np.float64)
    img = nib.load(path)
    walk = HERE["known"](60)[0][:, 2]
    data = img.get_fdata().copy()
    data[7, 7, 7] = 5000 + 10 * np.arange(60) + 40 * walk
    nib.save(nib.Nifti1Image(data, img.affine), tmp_path / "walk.nii")
    cleaned = HERE["masked_blocks"](str(tmp_path / "walk.nii")).get_fdata()
    assert np.ptp(cleaned[7, 7, 7]) < 1e-4 * np.ptp(40 * walk)


@pytest.mark.parametrize("method", ["masked_at_once", "masked_float32", "whole_at_once"])
def test_what_nilearn_cleans_keeps_the_time_between_volumes(method, tmp_path):
    img = nib.load(saved(tmp_path, "a.nii", dtype=np.int16))
    img.header.set_xyzt_units("mm", "sec")
    img.header.set_zooms((3, 3, 3.5, 0.7))
    nib.save(img, tmp_path / "fast.nii")
    cleaned = HERE[method](str(tmp_path / "fast.nii"))
    assert cleaned.header.get_zooms()[3] == np.float32(0.7)
    assert cleaned.get_data_dtype() == np.float32


def test_blocks_keep_the_header_and_take_a_path_object(tmp_path):
    path = save_run(tmp_path / "a.nii.gz", slope=2.0, kind=nib.Nifti2Image)
    img = nib.load(path)
    img.header.set_xyzt_units("mm", "sec")
    img.header["descrip"] = b"a run"
    nib.save(img, tmp_path / "b.nii.gz")
    cleaned = HERE["masked_blocks"](tmp_path / "b.nii.gz")
    assert type(cleaned) is nib.Nifti2Image
    assert cleaned.get_data_dtype() == np.float32
    assert cleaned.header.get_xyzt_units() == ("mm", "sec")
    assert cleaned.header["descrip"] == b"a run"
    np.testing.assert_array_equal(cleaned.header.get_zooms(), img.header.get_zooms())
    nib.save(cleaned, tmp_path / "c.nii.gz")
    np.testing.assert_array_equal(nib.load(tmp_path / "c.nii.gz").get_fdata(), cleaned.get_fdata())
