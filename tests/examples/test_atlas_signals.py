import runpy

import kinds
import nibabel as nib
import numpy as np
import pytest
from conftest import save_run

from benchmarks.files import EXAMPLES

HERE = runpy.run_path(str(EXAMPLES / "plot_atlas_signals.py"), run_name="definitions")


def saved(folder, name, **choices):
    return str(save_run(folder / name, shape=(12, 10, 9, 8), **choices))


def with_holes(folder):
    """Save a float64 run with values that are not finite: in each volume, in one, and a voxel."""
    path = saved(folder, "a.nii", dtype=np.float64)
    img = nib.load(path)
    data = img.get_fdata().copy()
    data[5, 5, 5] = np.nan
    data[:3, :, :, 2] = np.nan
    data[8, 2, 3, 4], data[8, 3, 3, 5], data[4, 4, 4, 0] = np.inf, -np.inf, np.inf
    holes = folder / "holes.nii.gz"
    nib.save(nib.Nifti1Image(data, img.affine, img.header), holes)
    return str(holes)


@pytest.mark.parametrize("kind", kinds.FILES)
def test_one_pass_returns_the_signals_of_the_masker(kind, tmp_path):
    path = saved(tmp_path, **kinds.FILES[kind])
    expected = HERE["masker_path"](path)
    assert expected.shape == (8, 100)
    np.testing.assert_allclose(HERE["one_pass"](path), expected, 1e-6)


@pytest.mark.filterwarnings("ignore:Non-finite values detected:UserWarning")
@pytest.mark.parametrize("pair", [("masker_path", "one_pass"), ("masker_maps", "maps_one_pass")])
def test_values_that_are_not_finite_count_as_zero_as_in_nilearn(pair, tmp_path):
    path = with_holes(tmp_path)
    expected, found = (HERE[name](path) for name in pair)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(found, expected, 1e-9)


@pytest.fixture
def own_atlas(tmp_path, monkeypatch):
    """Save an atlas whose labels have gaps, on a coarser grid that goes beyond the run."""
    labels = np.zeros((9, 9, 9), dtype=np.int16)
    labels[1:4, 1:4, 1:4], labels[4:6, 2:5, 1:5], labels[1:4, 4:6, 2:4] = 1035, 7, 2005
    labels[8, 8, 8] = 300  # no voxel of the run is near it
    path = tmp_path / "atlas.nii.gz"
    nib.save(nib.Nifti1Image(labels, np.diag([5, 5, 5, 1])), path)
    monkeypatch.setenv("ATLAS", str(path))


@pytest.mark.filterwarnings("ignore:After resampling the label image:UserWarning")
@pytest.mark.usefixtures("own_atlas")
def test_labels_of_an_atlas_of_ones_own_are_taken_in_their_order(tmp_path):
    path = saved(tmp_path, "a.nii.gz")
    labels = np.asanyarray(HERE["resample_atlas"](path).dataobj)
    data = nib.load(path).get_fdata()
    by_hand = np.transpose([data[labels == label].mean(axis=0) for label in (7, 1035, 2005)])
    np.testing.assert_allclose(HERE["one_pass"](path), by_hand, 1e-12)
    np.testing.assert_allclose(HERE["masker_path"](path), by_hand, 1e-12)


def test_the_atlas_that_is_made_is_on_a_finer_grid_of_the_same_space(tmp_path):
    path = saved(tmp_path, "a.nii")
    img, atlas = nib.load(path), HERE["atlas"](path)
    assert atlas.shape == (24, 20, 18)
    corner = nib.affines.apply_affine(img.affine, [-0.5, -0.5, -0.5])
    np.testing.assert_allclose(nib.affines.apply_affine(atlas.affine, [-0.5] * 3), corner)
    finer = np.asanyarray(atlas.dataobj)
    np.testing.assert_array_equal(HERE["resample_atlas"](path).dataobj, finer[::2, ::2, ::2])
    assert set(np.unique(finer)) == set(range(101))


@pytest.mark.parametrize("method", ["one_pass", "one_pass_cleaned", "maps_one_pass"])
def test_what_is_recommended_takes_a_path_object(method, tmp_path):
    path = save_run(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(HERE[method](path), HERE[method](str(path)))


@pytest.mark.parametrize(("slices", "maps"), [(9, 64), (3, 48)])
def test_the_normal_equations_give_the_least_squares_of_the_masker(slices, maps, tmp_path):
    # Of a scaled file, nilearn too solves in double precision.
    path = str(save_run(tmp_path / "a.nii.gz", slope=2.0, shape=(12, 10, slices, 8)))
    expected = HERE["masker_maps"](path)
    assert expected.shape == (8, maps)
    np.testing.assert_allclose(HERE["maps_one_pass"](path), expected, 1e-9)
