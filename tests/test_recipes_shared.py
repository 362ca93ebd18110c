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
        (0, "sec", 1.5),
    ],
)
def test_the_repetition_time_is_in_seconds_whatever_the_header_has(zoom, unit, seconds):
    img = nib.Nifti1Image(np.zeros((2, 2, 2, 3), np.int16), np.eye(4))
    img.header.set_xyzt_units("mm", unit)
    img.header.set_zooms((1, 1, 1, zoom))
    assert recipes.repetition_time(img, unknown=1.5) == pytest.approx(seconds)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 5)])
def test_masks_and_maps_on_another_grid_are_refused(shape):
    run = nib.Nifti1Image(np.zeros((2, 3, 4, 6), np.int16), np.eye(4))
    recipes.refuse_other_grid(nib.Nifti1Image(np.ones(shape, np.uint8), np.eye(4)), run)
    for other in (
        nib.Nifti1Image(np.ones(shape, np.uint8), np.diag([2, 1, 1, 1])),
        nib.Nifti1Image(np.ones(shape[::-1], np.uint8), np.eye(4)),
    ):
        with pytest.raises(ValueError, match=r"not on the grid of the image: .*Resample it first"):
            recipes.refuse_other_grid(other, run)


def test_a_mask_may_have_a_fourth_axis_of_one():
    run = nib.Nifti1Image(np.zeros((2, 3, 4, 6), np.int16), np.eye(4))
    mask = np.zeros((2, 3, 4, 1), np.uint8)
    mask[1, 2, 3] = 7
    voxels = recipes.mask_voxels(nib.Nifti1Image(mask, np.eye(4)), run)
    assert voxels.shape == (2, 3, 4)
    assert np.flatnonzero(voxels).tolist() == [23]
