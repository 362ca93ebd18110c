import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import units


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.00000123, "1.23 µs"),
        (0.00122, "1.22 ms"),
        (0.434, "434 ms"),
        (0.9997, "1.00 s"),
        (6.56, "6.56 s"),
        (5400, "5 400 s"),
    ],
)
def test_seconds(seconds, text):
    assert _plain(units.format_seconds(seconds)) == text


@pytest.mark.parametrize(
    ("size_mib", "text"),
    [
        (0, "0.00 MiB"),
        (0.25, "0.25 MiB"),
        (4, "4.00 MiB"),
        (333.21, "333 MiB"),
        (999.96, "1 000 MiB"),
        (3936.6, "3.84 GiB"),
        (-0.1, "-0.10 MiB"),
    ],
)
def test_bytes(size_mib, text):
    assert _plain(units.format_bytes(size_mib * units.MIB)) == text


@pytest.mark.parametrize(
    ("ratio", "text"), [(1.4, "1.4"), (12.3, "12"), (5432, "5 400"), (9.96, "10"), (0.06, "0.060")]
)
def test_ratio(ratio, text):
    assert _plain(units.format_ratio(ratio)) == text


def test_infinity_and_nan_are_written_in_words_or_signs():
    assert units.significant(float("inf")) == "∞"
    assert units.significant(float("nan")) == "not a number"


@given(st.floats(1e-9, 1e12), st.integers(1, 6))
def test_what_is_written_is_within_half_of_the_last_digit(value, digits):
    text = units.significant(value, digits)
    assert "e" not in text
    assert abs(float(text.replace(units.NARROW_SPACE, "")) / value - 1) <= 0.51 * 10 ** (
        1 - digits
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(5.2, "5 s"), (185, "3 min 05 s"), (3725, "1 h 02 min")]
)
def test_duration(seconds, text):
    assert _plain(units.format_duration(seconds)) == text


def test_a_range_names_a_common_unit_once():
    assert _plain(units.format_range(units.format_seconds, 0.36, 0.441)) == "360 to 441 ms"
    assert _plain(units.format_range(units.format_seconds, 0.36, 1.44)) == "360 ms to 1.44 s"
    assert _plain(units.format_range(units.format_ratio, 1.5, 2)) == "1.5 to 2.0"


def _plain(text):
    return text.replace(units.SPACE, " ").replace(units.NARROW_SPACE, " ")


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([0.0005, 2.5], "ms"),
        ([2.0, 3.0], "s"),
        ([1e-9], "µs"),
        ([0.0, 5.0], "s"),
        ([0.0], "µs"),
        ([], "µs"),
    ],
)
def test_a_column_has_the_unit_that_most_of_it_fits(values, unit):
    assert units.unit_of(values, units.SECONDS_UNITS)[0] == unit


def test_a_plain_number_has_no_unit():
    assert units.unit_of([1.0, 2.0], ()) == ("", 1.0)
