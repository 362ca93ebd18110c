"""Statements that measurements can support or contradict, and their verdicts.

A claim bounds one ratio (or one value) from below, from above, or both. The spread of the
runs decides: the ratio of two quantities reaches from the least over the largest to the
largest over the least of their runs.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from .errors import AbsentError, FigureError
from .results import QUANTITIES, Result, Sample
from .units import format_range, format_ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .runs import Data

#: How often it takes for a cost that is paid once to be worth it.
_BREAK_EVEN = re.compile(r"(?P<once>[^/]+)/\s*\((?P<before>[^/]+)\s-\s(?P<after>[^/]+)\)\s*")
_TERM = re.compile(r"(?P<task>\w+(@\w+)?)\.(?P<method>\w+)\.(?P<quantity>\w+)")


class Verdict(StrEnum):
    """What the measurements say of a claim."""

    HOLDS = "holds"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"
    ELSEWHERE = "about other files, releases or programs"


#: What a claim may ask of the file, by the name that pages use.
CONDITIONS: dict[str, Callable[[Data], bool]] = {
    "compressed": lambda data: data.compression != "none",
    "uncompressed": lambda data: data.compression == "none",
    "scaled": lambda data: data.scaled,
    "unscaled": lambda data: not data.scaled,
    "integers": lambda data: data.dtype.lstrip("><").startswith(("int", "uint")),
}


@dataclass(frozen=True)
class Term:
    """One measured quantity by its name in the pages: ``task.method.quantity``."""

    task: str
    method: str
    quantity: str

    @classmethod
    def parse(cls, text: str) -> Term:
        """Read ``load.get_fdata.time``.

        Raises
        ------
        FigureError
            The text is not three names joined by points, or the quantity is not one.
        """
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


@dataclass(frozen=True)
class Expression:
    """A quantity, or a ratio: ``a.b.time``, ``a.b.time / a.c.time``.

    With three terms it is ``a.b.time / (a.c.time - a.d.time)``: how often it takes.
    """

    terms: tuple[Term, ...]

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Read an expression as the pages write it.

        Raises
        ------
        FigureError
            The text is neither a quantity nor a ratio of those of one kind.
        """
        match = _BREAK_EVEN.fullmatch(text.strip())
        parts = match.groups() if match else text.split("/")
        if not match and len(parts) > 2:  # noqa: PLR2004
            raise FigureError(f"{text!r} has more than one division.")
        terms = tuple(Term.parse(part) for part in parts)
        if len({QUANTITIES[term.quantity].write for term in terms}) > 1:
            raise FigureError(f"{text!r} divides quantities of different units.")
        return cls(terms)

    def evaluate(self, find: Callable[[str, str], Result]) -> Interval:
        """Return the value from stored results.

        Parameters
        ----------
        find : callable
            Gives the result of a task and method, or raises FigureError.

        Raises
        ------
        FigureError
            A result is missing, stale, or without figures.
        """
        intervals = []
        for term in self.terms:
            sample = find(term.task, term.method).quantity(term.quantity)
            # Only a ratio needs the floor: nothing cannot be divided by.
            floor = QUANTITIES[term.quantity].smallest if len(self.terms) > 1 else 0.0
            intervals.append(Interval.of(sample, floor))
        first, *others = intervals
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
        if len(others) > 1:
            return f"{first} / ({others[0]} - {others[1]})"
        return " / ".join([first, *others])


@dataclass(frozen=True)
class Claim:
    """A statement of the site, and the bound that makes it checkable.

    Attributes
    ----------
    text : str
        The sentence the reader sees.
    expression : Expression
        What is bounded; a ratio has no unit, a single quantity is in s or bytes.
    at_least, at_most : float or None
        The bound; one of them at least, unless ``equals`` is given.
    equals : str
        What the method has to return, as Python writes it.
    place : str
        Page and line, for reports.
    releases : tuple of (str, str)
        Package and version range that the claim is about, for example
        ``("nilearn", ">=0.13.1")``; empty for every release.
    when : tuple of str
        Names of `CONDITIONS` that the file has to meet; empty for every file.
    """

    text: str
    expression: Expression
    at_least: float | None
    at_most: float | None
    place: str = ""
    releases: tuple[tuple[str, str], ...] = ()
    when: tuple[str, ...] = ()
    equals: str = ""

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None and not self.equals:
            raise FigureError("A claim needs a bound: at-least, at-most, or both; or is.")
        for condition in self.when:
            if condition not in CONDITIONS:
                known = ", ".join(CONDITIONS)
                raise FigureError(f"{condition!r} is no condition of a claim; there are: {known}.")
        for _, versions in self.releases:
            try:
                SpecifierSet(versions)
            except InvalidSpecifier as error:
                raise FigureError(f"{versions!r} is not a version range.") from error

    def as_dict(self) -> dict[str, Any]:
        """Return the claim as JSON can hold it."""
        return asdict(self) | {"expression": str(self.expression)}

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> Claim:
        """Read what `as_dict` returned."""
        releases = tuple((name, versions) for name, versions in entry["releases"])
        expression = Expression.parse(entry["expression"])
        changed = {"expression": expression, "releases": releases, "when": tuple(entry["when"])}
        return cls(**entry | changed)

    @property
    def bound(self) -> str:
        """The bound in words, for example ``at least 100``."""
        if self.equals:
            return self.equals
        parts = [(self.at_least, "at least"), (self.at_most, "at most")]
        return " and ".join(
            f"{words} {self._exactly(value)}" for value, words in parts if value is not None
        )

    @property
    def scope(self) -> str:
        """What the claim is about in words, for example ``nilearn <0.13.1, compressed files``."""
        files = [f"{' '.join(self.when)} files"] if self.when else []
        return ", ".join([*(f"{name} {versions}" for name, versions in self.releases), *files])

    def _exactly(self, value: float) -> str:
        """Write a bound without rounding it, unless it has a unit."""
        plain = len(self.expression.terms) > 1 or self.expression.terms[0].quantity == "multiplier"
        return f"{value:g}" if plain else self.expression.write(value)

    def applies(self, packages: Mapping[str, str], data: Data) -> bool:
        """Tell whether the claim is about the file and the releases that were measured."""
        return all(CONDITIONS[condition](data) for condition in self.when) and all(
            name in packages and SpecifierSet(versions).contains(packages[name], prereleases=True)
            for name, versions in self.releases
        )

    def judge(
        self, find: Callable[[str, str], Result], packages: Mapping[str, str], data: Data
    ) -> tuple[Verdict, str]:
        """Return the verdict, and the measured value in words.

        Parameters
        ----------
        find : callable
            Gives the result of a task and method.
        packages : mapping of str
            Versions of the packages that were measured.
        data : Data
            The file that was measured on.

        Raises
        ------
        FigureError
            A result is missing, stale, or without figures.
        """
        if not self.applies(packages, data):
            return Verdict.ELSEWHERE, ""
        try:
            return self._judged(find)
        except AbsentError:
            return Verdict.ELSEWHERE, ""

    def _judged(self, find: Callable[[str, str], Result]) -> tuple[Verdict, str]:
        if self.equals:
            term = self.expression.terms[0]
            observed = find(term.task, term.method).observed
            same = observed == self.equals
            return (Verdict.HOLDS if same else Verdict.CONTRADICTED), observed
        value = self.expression.evaluate(find)
        write = self.expression.write
        spread = format_range(write, value.low, value.high)
        return self.verdict(value), f"{write(value.median)} ({spread})"

    def verdict(self, value: Interval) -> Verdict:
        """Judge the claim: by the whole spread, never by the median alone."""
        below, above = self.at_least, self.at_most
        if (below is not None and value.high < below) or (above is not None and value.low > above):
            return Verdict.CONTRADICTED
        if (below is None or value.low >= below) and (above is None or value.high <= above):
            return Verdict.HOLDS
        return Verdict.UNDECIDED
