"""What the pages ask for: a measured quantity by its name, or a ratio of quantities."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.errors import FigureError
from benchmarks.results.quantities import QUANTITIES
from benchmarks.results.statistics import Interval
from benchmarks.units import format_ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.results.result import Result

#: How often it takes for a cost that is paid once to be worth it.
_BREAK_EVEN = re.compile(r"(?P<once>[^/]+)/\s*\((?P<before>[^/]+)\s-\s(?P<after>[^/]+)\)\s*")
#: What two costs that are paid one after the other are of a third.
_SUM = re.compile(r"\((?P<one>[^/+]+)\s\+\s(?P<other>[^/+]+)\)\s*/(?P<over>[^/]+)")
_TERM = re.compile(r"(?P<task>\w+(@\w+)?)\.(?P<method>\w+)\.(?P<quantity>\w+)")


@dataclass(frozen=True)
class Term:
    """One measured quantity by its name in the pages: ``task.method.quantity``."""

    task: str
    method: str
    quantity: str

    @classmethod
    def parse(cls, text: str) -> Term:
        """Read ``load.get_fdata.time``; raises FigureError if that names no quantity."""
        match = _TERM.fullmatch(text.strip())
        if not match:
            raise FigureError(f"{text!r} is not of the form task.method.quantity.")
        if match["quantity"] not in QUANTITIES:
            known = ", ".join(QUANTITIES)
            raise FigureError(f"{text!r}: there is no such quantity; there are: {known}.")
        return cls(match["task"], match["method"], match["quantity"])

    def __str__(self) -> str:
        return f"{self.task}.{self.method}.{self.quantity}"


@dataclass(frozen=True)
class Expression:
    """A quantity, a ratio ``a / b``, ``a / (b - c)``: how often it takes, or ``(a + b) / c``."""

    terms: tuple[Term, ...]
    #: Whether the first two of three are added.
    added: bool = False

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Read a quantity or a ratio; raises FigureError if it is none, or its units differ."""
        added = _SUM.fullmatch(text.strip())
        match = added or _BREAK_EVEN.fullmatch(text.strip())
        parts = match.groups() if match else text.split("/")
        if not match and len(parts) > 2:  # noqa: PLR2004
            raise FigureError(f"{text!r} has more than one division.")
        terms = tuple(Term.parse(part) for part in parts)
        if len({QUANTITIES[term.quantity].write for term in terms}) > 1:
            raise FigureError(f"{text!r} divides quantities of different units.")
        return cls(terms, added=bool(added))

    def evaluate(self, find: Callable[[str, str], Result]) -> Interval:
        """Return the value of stored results; raises FigureError if one is missing or stale."""
        intervals = []
        for term in self.terms:
            sample = find(term.task, term.method).quantity(term.quantity)
            # Only a ratio needs the floor: nothing cannot be divided by.
            floor = QUANTITIES[term.quantity].smallest if len(self.terms) > 1 else 0.0
            intervals.append(Interval.of(sample, floor))
        first, *others = intervals
        if self.added:
            return (first + others[0]) / others[1]
        if not others:
            return first
        return first / (others[0] - others[1] if len(others) > 1 else others[0])

    def write(self, value: float) -> str:
        """Write a value: a ratio without a unit, a quantity in its own."""
        if len(self.terms) > 1:
            return format_ratio(value)
        return QUANTITIES[self.terms[0].quantity].write(value)

    def __str__(self) -> str:
        first, *others = map(str, self.terms)
        if self.added:
            return f"({first} + {others[0]}) / {others[1]}"
        if len(others) > 1:
            return f"{first} / ({others[0]} - {others[1]})"
        return " / ".join([first, *others])
