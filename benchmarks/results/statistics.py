"""What follows from the values of several runs: median, range, and how sure of them one can be."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from benchmarks.errors import FigureError

#: Of the interval of a median.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Sample:
    """The values of one quantity over runs, one a run, in their order."""

    values: tuple[float, ...]

    def _seen(self) -> tuple[float, ...]:
        if not self.values:
            raise FigureError("There is no value: no run of this method has finished.")
        return self.values

    @property
    def median(self) -> float:
        """Middle value, or the upper of two, which a run gave; raises FigureError without any."""
        return statistics.median_high(self._seen())

    @property
    def interval(self) -> tuple[float, float]:
        """Interval that holds the true median with a probability of 95 %.

        It assumes nothing of the distribution: the number of values below the true median
        is binomial (Conover, Practical Nonparametric Statistics, chapter 3.2). Fewer than
        six values cannot reach 95 %; then it is their range.

        Raises
        ------
        FigureError
            There is no value.
        """
        ordered = sorted(self._seen())
        count = len(ordered)
        tail, outside = 0.0, 0
        for below in range(count // 2):
            tail += 2 * math.comb(count, below) / 2**count
            if tail > 1 - CONFIDENCE:
                break
            outside = below
        return ordered[outside], ordered[-1 - outside]

    @property
    def is_sure(self) -> bool:
        """Whether `interval` has its 95 %, as six values have; fewer give their range."""
        return bool(2 / 2 ** len(self.values) <= 1 - CONFIDENCE)

    @property
    def width(self) -> float:
        """Width of `interval` as a fraction of the median; 0 where all values are 0."""
        low, high = self.interval
        return (high - low) / self.median if high > low else 0.0

    @property
    def low(self) -> float:
        """Least value; raises FigureError without runs."""
        return min(self._seen())

    @property
    def high(self) -> float:
        """Largest value; raises FigureError without runs."""
        return max(self._seen())


@dataclass(frozen=True)
class Interval:
    """A derived figure: its value from the medians, and how far the runs let it reach."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, sample: Sample, smallest: float = 0.0) -> Interval:
        """Take median and range of a sample, nothing below the smallest amount."""
        return cls(*(max(v, smallest) for v in (sample.median, sample.low, sample.high)))

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.median - other.median, self.low - other.high, self.high - other.low)

    def __truediv__(self, other: Interval) -> Interval:
        pairs = (self.median, other.median), (self.low, other.high), (self.high, other.low)
        # What saves nothing is never worth its cost.
        return Interval(*(over / under if under > 0 else math.inf for over, under in pairs))
