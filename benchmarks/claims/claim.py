"""Statements that measurements can support or contradict: the spread of the runs decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from benchmarks.errors import AbsentError, FigureError
from benchmarks.results.quantities import QUANTITIES
from benchmarks.results.result import Word
from benchmarks.results.store import CONVERTER
from benchmarks.units import format_range, significant

from .expressions import Expression

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.results.dataset import Dataset
    from benchmarks.results.result import Result
    from benchmarks.results.statistics import Interval

#: What a claim says of a figure that no release changed.
NEVER = "no release"

#: Of ratios whose bound is as near to 1 as this, two digits could not tell which side they are on.
_NEAR_ONE = 0.1 + 1e-9


class Verdict(Word):
    """What the measurements say of a claim."""

    HOLDS = "holds"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"
    ELSEWHERE = "about other files, releases or programs"


# In JSON, an expression is what the pages write.
CONVERTER.register_structure_hook(Expression, lambda text, _: Expression.parse(text))
CONVERTER.register_unstructure_hook(Expression, str)


@dataclass(frozen=True)
class Claim:
    """A statement of the site, and the bound that makes it checkable."""

    #: The sentence the reader sees.
    text: str
    #: What is bounded; a ratio has no unit, a single quantity is in s or bytes.
    expression: Expression
    #: The bound; one of them at least, unless ``equals`` is given.
    at_least: float | None
    at_most: float | None
    #: Page and line, for reports.
    place: str = ""
    #: Package and version range that the claim is about, for example ``("nilearn", ">=0.13.1")``;
    #: empty for every release.
    releases: tuple[tuple[str, str], ...] = ()
    #: Conditions that the file has to meet (`Dataset.meets`); empty for every file.
    when: tuple[str, ...] = ()
    #: What the method has to return, as Python writes it.
    equals: str = ""
    #: The release of nilearn, of those that are measured, that changed the figure first; or
    #: `NEVER`.
    changed_in: str = ""

    def __post_init__(self) -> None:
        bounds = (self.at_least, self.at_most, self.equals or None, self.changed_in or None)
        if all(bound is None for bound in bounds):
            raise FigureError(
                "A claim needs a bound: at-least, at-most, or both; or is, or changed-in."
            )
        for _, versions in self.releases:
            try:
                SpecifierSet(versions)
            except InvalidSpecifier as error:
                raise FigureError(f"{versions!r} is not a version range.") from error

    @property
    def bound(self) -> str:
        """The bound in words, for example ``at least 100``."""
        if self.changed_in:
            changed = self.changed_in != NEVER
            return f"a change in nilearn {self.changed_in}" if changed else "no change"
        if self.equals:
            return self.equals
        parts = [(self.at_least, "at least"), (self.at_most, "at most")]
        return " and ".join(
            f"{words} {self._exactly(value)}" for value, words in parts if value is not None
        )

    @property
    def scope(self) -> str:
        """What the claim is about in words, for example ``nilearn <0.13.1, compressed files``."""
        kinds = [condition for condition in self.when if " " not in condition]
        sizes = [condition for condition in self.when if " " in condition]
        files = " ".join([*kinds, "files"] + (["of", " and ".join(sizes)] if sizes else []))
        releases = [f"{name} {versions}" for name, versions in self.releases]
        return ", ".join([*releases, *([files] if self.when else [])])

    def _exactly(self, value: float) -> str:
        """Write a bound without rounding it, unless it has a unit."""
        return f"{value:g}" if self._is_plain else self.expression.write(value)

    def applies(self, packages: Mapping[str, str], data: Dataset) -> bool:
        """Tell whether the claim is about the file and the releases that were measured."""
        met = [data.meets(condition) for condition in self.when]  # an unknown one is refused
        return all(met) and all(
            name in packages and SpecifierSet(versions).contains(packages[name], prereleases=True)
            for name, versions in self.releases
        )

    def judge(
        self, find: Callable[[str, str], Result], packages: Mapping[str, str], data: Dataset
    ) -> tuple[Verdict, str]:
        """Return verdict and value in words; raises FigureError if a figure is absent or stale."""
        if not self.applies(packages, data):
            return Verdict.ELSEWHERE, ""
        try:
            return self._judged(find)
        except AbsentError:
            return Verdict.ELSEWHERE, ""

    def runs(self, find: Callable[[str, str], Result]) -> list[str]:
        """Say what the runs of each quantity gave; raises FigureError if one is missing."""
        if self.equals:
            return []
        said = []
        for term in dict.fromkeys(self.expression.terms):
            sample = find(term.task, term.method).quantity(term.quantity)
            write, runs = QUANTITIES[term.quantity].write, _repeats(len(sample.values))
            if write(sample.low) != write(sample.high):
                runs = f"{format_range(write, sample.low, sample.high)} in {runs}"
            said.append(f"{term}: {write(sample.median)} ({runs})")
        return said

    def _judged(self, find: Callable[[str, str], Result]) -> tuple[Verdict, str]:
        if self.equals:
            term = self.expression.terms[0]
            observed = find(term.task, term.method).observed
            same = observed == self.equals
            return (Verdict.HOLDS if same else Verdict.CONTRADICTED), observed
        value = self.expression.evaluate(find)
        # One repeat has no range, and shows nothing of how far another would be from it.
        spread = format_range(self._written, value.low, value.high)
        if self._most_repeats(find) == 1:
            spread = _repeats(1)
        return self.verdict(value), f"{self._written(value.median)} ({spread})"

    def _written(self, value: float) -> str:
        """Write a value: where a bound is near 1, so that it can be told from 1."""
        bounds = [bound for bound in (self.at_least, self.at_most) if bound is not None]
        if self._is_plain and any(abs(bound - 1) <= _NEAR_ONE for bound in bounds):
            return significant(value)
        return self.expression.write(value)

    def _most_repeats(self, find: Callable[[str, str], Result]) -> int:
        samples = (find(t.task, t.method).quantity(t.quantity) for t in self.expression.terms)
        return max(len(sample.values) for sample in samples)

    @property
    def _is_plain(self) -> bool:
        """Whether the figure has no unit."""
        first, *others = self.expression.terms
        return bool(others) or not QUANTITIES[first.quantity].units

    def verdict(self, value: Interval) -> Verdict:
        """Judge the claim: by the whole spread, never by the median alone."""
        below, above = self.at_least, self.at_most
        if (below is not None and value.high < below) or (above is not None and value.low > above):
            return Verdict.CONTRADICTED
        if (below is None or value.low >= below) and (above is None or value.high <= above):
            return Verdict.HOLDS
        return Verdict.UNDECIDED


def _repeats(count: int) -> str:
    return f"{count} repeat{'s' if count > 1 else ''}"
