from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from benchmarks.errors import DisagreementError
from benchmarks.results.result import Result
from benchmarks.tasks import agreement

ARRAY = np.random.default_rng(0).normal(1000, 10, (9, 8, 7, 6))


def check(one, other, tolerance=1e-6):
    agreement.check(("a", "b"), agreement.reduce(one), agreement.reduce(other), tolerance)


def test_an_image_its_array_and_another_type_of_it_agree():
    img = nib.Nifti1Image(ARRAY, np.eye(4))
    check(img, ARRAY)
    check(ARRAY, ARRAY.astype(np.float32))
    check(ARRAY, np.asfortranarray(ARRAY))
    check(3, 3.0)
    check(None, None)


@pytest.mark.parametrize("at", [(0, 0, 0, 0), (4, 4, 4, 4), (8, 7, 6, 5)])
def test_one_wrong_voxel_is_seen_wherever_it_is(at):
    other = ARRAY.copy()
    other[at] += 100
    with pytest.raises(DisagreementError, match="a and b disagree: the largest relative"):
        check(ARRAY, other)


def test_swapped_volumes_are_seen():
    with pytest.raises(DisagreementError):
        check(ARRAY, ARRAY[..., ::-1])


def test_lists_of_arrays_that_have_no_sum_are_values():
    check(np.nonzero(np.zeros(3)), np.nonzero(np.zeros(3)))
    check([np.ones(2, complex)], [np.ones(2, complex)])
    check((np.array(["a"]), np.ones(1)), (np.array(["a"]), np.ones(1)))
    with pytest.raises(DisagreementError, match="a value of type tuple"):
        check(np.nonzero(np.zeros(3)), np.ones(3))


def test_shapes_and_kinds_must_be_the_same():
    with pytest.raises(DisagreementError, match="an array of shape"):
        check(ARRAY, ARRAY[..., :3])
    with pytest.raises(DisagreementError, match="a value of type NoneType"):
        check(ARRAY, None)


def test_nan_is_equal_to_nan_and_to_nothing_else():
    holed = ARRAY.copy()
    holed[0, 0, 0, 0] = np.nan
    check(holed, holed.copy())
    with pytest.raises(DisagreementError, match="inf"):
        check(ARRAY, holed)


def test_affines_of_images_must_be_the_same():
    moved = np.eye(4)
    moved[0, 3] = 1.0
    with pytest.raises(DisagreementError, match="affines differ by 1 mm"):
        check(nib.Nifti1Image(ARRAY, np.eye(4)), nib.Nifti1Image(ARRAY, moved))


def test_the_tolerance_is_relative():
    check(ARRAY, ARRAY * (1 + 1e-4), tolerance=1e-3)
    with pytest.raises(DisagreementError):
        check(ARRAY, ARRAY * (1 + 1e-4), tolerance=1e-5)


def test_empty_and_zero_arrays_can_be_compared():
    check(np.zeros((3, 3)), np.zeros((3, 3)))
    check(np.zeros((0, 3)), np.zeros((0, 3)))


def test_sums_stand_for_the_voxels_that_are_not_sampled():
    large = np.ones(100_000)
    reduced = agreement.reduce(large)
    assert len(reduced.sample) == agreement.SAMPLED_VOXELS
    assert reduced.sums == (1e5, 1e5)
    assert agreement.largest_difference(reduced, replace(reduced, sums=(1.1e5, 1e5))) > 0.05


def test_what_no_array_can_be_made_of_is_written_down():
    reduced = agreement.reduce(({"a": 1}, np.ones(3)))
    assert (reduced.kind, reduced.shape) == ("tuple", ())
    assert "array" in reduced.text


def test_an_address_says_nothing_of_a_value():
    one, other = (agreement.reduce(object()) for _ in range(2))
    assert one == other
    assert (one.kind, one.text) == ("object", "")
    assert replace(Result("t", "m"), returned=one).observed == "object"
