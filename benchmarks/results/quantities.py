"""The quantities that are shown of a result: names, units, and what counts as a difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.gauge.peak import LAG_KIB
from benchmarks.gauge.readings import SMALLEST_BYTES
from benchmarks.units import (
    BYTES_UNITS,
    KIB,
    MIB,
    SECONDS_UNITS,
    SPACE,
    format_bytes,
    format_ratio,
    format_seconds,
    significant,
)

from .statistics import Interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from .statistics import Sample


@dataclass(frozen=True)
class Quantity:
    """What the faces need to know of one quantity."""

    heading: str
    #: The attribute of `Result` that holds it.
    field: str
    #: Writes a value with its unit.
    write: Callable[[float], str]
    #: The smallest amount that means anything; ratios take nothing as less.
    smallest: float
    #: The unit of plots, so that their ticks are round numbers.
    drawn_in: float = 1.0
    #: What a column of it can be written in: names, and sizes.
    units: tuple[tuple[str, float], ...] = ()
    #: Whether tables mark the least figure.
    least_is_best: bool = True

    def shown(self, value: float) -> str:
        """Write a value with its unit; nothing where the gauge cannot tell it from that."""
        if self.drawn_in == MIB and abs(value) < self.smallest:
            return f"0{SPACE}MiB"
        return self.write(value)

    def write_in(self, unit: float, value: float) -> str:
        """Write a value without its unit, for a column whose heading has it."""
        if not self.units:
            return self.write(value)
        if self.drawn_in == MIB and abs(value) < self.smallest:
            return "0"  # the gauge cannot tell it from nothing
        amount = value / unit
        if unit == MIB > abs(value):
            # As `format_bytes`: the third digit says nothing, and a minus zero is a zero.
            return f"{round(amount, 2) + 0.0:.2f}"
        return significant(amount)


QUANTITIES = {
    "time": Quantity("time", "wall_seconds", format_seconds, 1e-7, units=SECONDS_UNITS),
    "cpu": Quantity("CPU time", "cpu_seconds", format_seconds, 1e-7, units=SECONDS_UNITS),
    "peak": Quantity("peak", "peak_bytes", format_bytes, SMALLEST_BYTES, MIB, BYTES_UNITS),
    "mapped": Quantity(
        "of it mapped", "mapped_bytes", format_bytes, SMALLEST_BYTES, MIB, BYTES_UNITS
    ),
    "kept": Quantity("kept", "kept_bytes", format_bytes, SMALLEST_BYTES, MIB, BYTES_UNITS),
    "whole": Quantity("all memory", "whole_bytes", format_bytes, SMALLEST_BYTES, MIB, BYTES_UNITS),
    "throughput": Quantity(
        "images per minute", "images_per_minute", significant, 1e-3, least_is_best=False
    ),
    "value": Quantity("value", "value", significant, 1e-9),
    "times_least": Quantity("x limit", "times_least", format_ratio, 1e-3),
    "multiplier": Quantity("multiplier", "multiplier", format_ratio, 1e-3),
    "mapped_multiplier": Quantity("mapped", "mapped_multiplier", format_ratio, 1e-3),
}

#: The quantities of which differences are looked for, and how many times the medians have to
#: differ before a reader would mind.
LEAST_RATIO = {"time": 1.5, "peak": 1.25}

#: How many times peaks have to differ where two workers share the work: it is chance whether they
#: reach their peaks at the same moment, and the sum of two is up to twice the larger one.
SHARED_PEAK_RATIO = 2.0

#: What they have to differ by besides: what the gauge can be off by, the lag of the kernel's
#: counters, is no difference, however well it repeats.
LEAST_DIFFERENCE = {"time": 0.0, "peak": LAG_KIB * KIB}

#: What less and more of them are called.
_WORDS = {"time": ("faster", "slower"), "peak": ("leaner", "needs more")}


def differ(one: Sample, other: Sample, quantity: str, least_ratio: float = 1.0) -> bool:
    """Tell whether two samples differ: no run of one reaches the other, nor are medians close."""
    smallest = QUANTITIES[quantity].smallest
    both = (Interval.of(sample, smallest) for sample in (one, other))
    less, more = sorted(both, key=lambda interval: interval.median)
    return (
        less.high < more.low
        and more.median >= least_ratio * less.median
        and more.median - less.median > LEAST_DIFFERENCE[quantity]
    )


def in_words(quantity: str, ratio: float) -> str:
    """Say how many times less or more of a quantity it is, after over before."""
    less, more = _WORDS[quantity]
    return f"{less if ratio < 1 else more}, {format_ratio(max(ratio, 1 / ratio))} times"
