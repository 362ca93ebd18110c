from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.prediction.cost_model import Cost
from benchmarks.prediction.small_files import SIZES, USUAL, kind_of

#: What a value can be off by, as a fraction of it, where there is next to no noise.
EXACT = 1e-6

FILES = [SimpleNamespace(voxels=SIZES[size][0], volumes=SIZES[size][1]) for size in USUAL]


def fit(values, files=FILES, off=EXACT, **choices):
    return Cost.through(files, values, [off * value for value in values], **choices)


@given(
    parts=st.tuples(
        st.floats(1e3, 1e8), st.sampled_from([0.0, 2.0, 16.5]), st.sampled_from([0.0, 1.0, 24.0])
    )
)
def test_what_was_put_in_comes_out_for_any_file(parts):
    truth = Cost(*parts)
    fitted = fit([truth.at(file.voxels, file.volumes) for file in FILES])
    for voxels, volumes in ((10**5, 10), (10**6, 1200)):
        assert fitted.at(voxels, volumes) == pytest.approx(truth.at(voxels, volumes), rel=1e-3)


@given(values=st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3))
def test_no_part_is_below_zero_whatever_the_noise(values):
    fitted = fit(values)
    assert min(fitted.fixed, fitted.per_volume_voxel, fitted.per_voxel) >= 0


def test_two_files_are_enough():
    truth = Cost(1e6, 0.0, 3.0)
    fitted = fit([truth.at(f.voxels, f.volumes) for f in FILES[::2]], FILES[::2])
    assert fitted.at(10**5, 1000) == pytest.approx(truth.at(10**5, 1000), rel=0.01)


def test_reading_again_for_each_volume_grows_with_their_square():
    again = Cost(0.0, 0.0, 1.0, again=True)
    assert again.at(10, 4) == 10 * (1 + 2 + 3 + 4)
    fitted = fit([again.at(f.voxels, f.volumes) for f in FILES], again=True)
    assert fitted.at(1000, 500) == pytest.approx(again.at(1000, 500), rel=1e-3)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (("int16", 1, 0, "gz"), "int16_nii_gz"),
        ((">i2", 1, 0, "none"), "int16_nii"),
        (("uint8", 1, 0, "none"), "int16_nii"),
        (("uint16", 2.5, 0, "gz"), "scaled_nii_gz"),
        (("int16", 1, 3, "none"), "shifted_nii"),
        (("int32", 1, 0, "none"), "shifted_nii"),
        (("float32", 1, 0, "bz2"), "float32_nii_gz"),
        (("float64", 1, 0, "none"), "float64_nii"),
        (("float32", 2, 0, "none"), "shifted_nii"),
        (("float64", 2, 0, "gz"), "shifted_nii_gz"),
        (("int64", 1, 0, "gz"), "shifted_nii_gz"),
    ],
)
def test_a_file_is_taken_for_the_kind_that_needs_no_less(file, kind):
    assert kind_of(*file) == kind


def test_files_whose_volumes_are_alike_tell_nothing_of_volumes():
    files = [SimpleNamespace(voxels=224_000, volumes=volumes) for volumes in (56, 112)]
    assert fit([22.1, 22.1], files).at(900_000, 500) == pytest.approx(22.1)


def test_what_is_noise_in_small_files_is_not_large_in_large_ones():
    # A loop over volumes, in MiB: the gauge is off by some hundredths of it.
    noisy = [1.26, 5.00, 1.30]
    fitted = Cost.through(FILES, noisy, [0.3] * 3)
    assert fitted.at(224_000, 150) == pytest.approx(1.26 * 224_000 / FILES[0].voxels, rel=0.05)
    assert fitted.per_voxel == 0


def test_a_value_that_stands_out_from_the_noise_counts_more_than_one_that_does_not():
    truth = Cost(0.0, 0.0, 1.5e-6)
    values = [truth.at(f.voxels, f.volumes) for f in FILES]
    hidden = [values[0] - 0.3, *values[1:]]
    fitted = Cost.through(FILES, hidden, [max(0.3, 0.01 * value) for value in hidden])
    assert fitted.at(224_000, 150) == pytest.approx(truth.at(224_000, 150), rel=0.03)
