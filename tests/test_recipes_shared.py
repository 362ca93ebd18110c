"""What examples share: short functions that are copied along with a method."""

import nibabel as nib
import numpy as np
import pytest

from benchmarks import recipes


@pytest.mark.parametrize(
    ("zoom", "unit", "seconds"),
    [
        (2, "sec", 2),
        (2000, "msec", 2),
        (800_000, "usec", 0.8),
        (2000, "sec", 2),  # which no scanner takes
        (0.8, "unknown", 0.8),
        (2, "msec", 2),  # nor this
        (0, "sec", 1.5),
        (-2, "sec", 1.5),
        (float("nan"), "sec", 1.5),
    ],
)
def test_the_repetition_time_is_in_seconds_whatever_the_header_has(zoom, unit, seconds):
    img = nib.Nifti1Image(np.zeros((2, 2, 2, 3), np.int16), np.eye(4))
    img.header.set_xyzt_units("mm", unit)
    img.header["pixdim"][4] = zoom
    assert recipes.repetition_time(img, unknown=1.5) == pytest.approx(seconds)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 5)])
def test_masks_and_maps_on_another_grid_are_refused(shape):
    run = nib.Nifti1Image(np.zeros((2, 3, 4, 6), np.int16), np.eye(4))
    recipes.refuse_other_grid(nib.Nifti1Image(np.ones(shape, np.uint8), np.eye(4)), run)
    for other in (
        nib.Nifti1Image(np.ones(shape, np.uint8), np.diag([2, 1, 1, 1])),
        nib.Nifti1Image(np.ones(shape[::-1], np.uint8), np.eye(4)),
    ):
        with pytest.raises(ValueError, match=r"Mask not on the grid .*Resample first.*'nearest'"):
            recipes.refuse_other_grid(other, run)
        with pytest.raises(ValueError, match=r"Maps not on the grid .*\(maps, img, .*'linear'"):
            recipes.refuse_other_grid(other, run, "maps", "linear")


def test_an_affine_that_is_rounded_is_on_the_grid():
    run = nib.Nifti1Image(np.zeros((2, 3, 4, 6), np.int16), np.diag([3, 3, 3.5, 1]))
    rounded = run.affine + np.pad(np.full((3, 3), 2e-5), (0, 1))
    assert recipes.mask_voxels(nib.Nifti1Image(np.ones((2, 3, 4), np.uint8), rounded), run).all()


def test_nan_is_outside_a_mask_and_an_empty_one_is_refused():
    run = nib.Nifti1Image(np.zeros((2, 3, 4, 6), np.int16), np.eye(4))
    mask = np.full((2, 3, 4), np.nan, np.float32)
    with pytest.raises(ValueError, match="The mask is empty"):
        recipes.mask_voxels(nib.Nifti1Image(mask, np.eye(4)), run)
    mask[1, 2, 3] = 1
    voxels = recipes.mask_voxels(nib.Nifti1Image(mask, np.eye(4)), run)
    assert np.flatnonzero(voxels).tolist() == [23]


@pytest.mark.parametrize(("name", "begins"), [("a.nii.gz", b"\x1f\x8b"), ("a.nii", b"\x5c\x01")])
def test_a_file_is_packed_if_its_name_says_so(tmp_path, name, begins):
    path = tmp_path / name
    run = nib.Nifti1Image(np.ones((2, 3, 4, 6), np.float32), np.eye(4))
    header = recipes.float32_header(run)
    with recipes.opened_to_write(path) as stream:
        header.write_to(stream)
        stream.write(run.get_fdata(dtype=np.float32).astype(header.get_data_dtype(), order="F").T)
    assert path.read_bytes()[:2] == begins
    assert nib.load(path).get_fdata().sum() == 2 * 3 * 4 * 6


def test_the_range_to_display_is_not_that_of_the_old_values():
    run = nib.Nifti1Image(np.ones((2, 3, 4, 6), np.int16), np.eye(4))
    run.header["cal_min"], run.header["cal_max"] = 400, 1500
    header = recipes.float32_header(run)
    assert (header["cal_min"], header["cal_max"]) == (0, 0)
    assert run.header["cal_max"] == 1500


def test_a_mask_may_have_a_fourth_axis_of_one():
    run = nib.Nifti1Image(np.zeros((2, 3, 4, 6), np.int16), np.eye(4))
    mask = np.zeros((2, 3, 4, 1), np.uint8)
    mask[1, 2, 3] = 7
    voxels = recipes.mask_voxels(nib.Nifti1Image(mask, np.eye(4)), run)
    assert voxels.shape == (2, 3, 4)
    assert np.flatnonzero(voxels).tolist() == [23]
