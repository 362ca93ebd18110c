"""Columns of results: one unit for all figures, the least of them marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cells import Amount
from .quantities import QUANTITIES
from .results import TOO_LARGE
from .units import unit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .cells import Cell
    from .results import Result, Sample
    from .tasks import Method

#: Stands where there is no figure.
NONE = "–"


class Column:
    """One quantity of several results, in the unit that fits them.

    Parameters
    ----------
    quantity : str
        A name of `QUANTITIES`.
    results : sequence of Result
        All that the unit has to fit.
    methods : sequence of Method
        Those of the task. The least is looked for among methods that return the same; without
        methods, nothing is marked.
    """

    def __init__(
        self, quantity: str, results: Sequence[Result], methods: Sequence[Method] = ()
    ) -> None:
        self.known = QUANTITIES[quantity]
        self._quantity = quantity
        self._groups = {method.name: method.group for method in methods}
        self._samples = {id(result): self._sample(result) for result in results}
        medians = [sample.median for sample in self._samples.values() if sample]
        self._unit, self._size = unit_of(medians, self.known.units)
        self._bounds = self._least(results)

    @property
    def heading(self) -> str:
        """Name of the quantity, with the unit."""
        return f"{self.known.heading} ({self._unit})" if self._unit else self.known.heading

    def _sample(self, result: Result) -> Sample | None:
        sample = result.quantity(self._quantity) if result.status == "ok" else None
        return sample if sample and sample.values else None

    def _least(self, results: Sequence[Result]) -> dict[int, float]:
        """Return, for each group of several, what the least cannot be told apart from."""
        members: dict[int, list[Sample]] = {}
        for result in results if self.known.least_is_best else ():
            sample = self._samples[id(result)]
            if sample and result.method in self._groups:
                members.setdefault(self._groups[result.method], []).append(sample)
        bounds = {}
        for group, samples in members.items():
            if len(samples) > 1:
                least = min(samples, key=lambda sample: sample.median)
                bounds[group] = max(least.interval[1], least.median + self.known.smallest)
        return bounds

    def cell(self, result: Result | None, mark: str = "") -> Cell:
        """Return the median, or why there is none; a mark stands before it."""
        if result is None:
            return NONE
        if result.status != "ok":
            return status(result)
        sample = self._samples[id(result)]
        if sample is None:
            return NONE
        bound = self._bounds.get(self._groups.get(result.method, -1))
        least = bound is not None and sample.interval[0] <= bound
        return Amount(mark + self._written(sample.median), sample.median, least=least)

    def range(self, result: Result) -> Cell:
        """Return the least and the largest value, which a page draws as well."""
        sample = self._samples[id(result)]
        if sample is None:
            return NONE
        low, high = sample.low, sample.high
        text = f"{self._written(low)} to {self._written(high)}"
        return Amount(text, high - low, (low, sample.median, high))

    def of(self, value: float | None) -> Cell:
        """Return a value that is no result of ours."""
        return NONE if value is None else Amount(self._written(value), value)

    def _written(self, value: float) -> str:
        return self.known.write_in(self._size, value)


def status(result: Result) -> str:
    """Return why there are no figures, in a word; or what a method would need."""
    return result.message.partition(",")[0] if result.status == TOO_LARGE else result.status
