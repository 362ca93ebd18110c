"""The same methods under several releases: what changed from one to the next, and what did not."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import comparison, reference, releases, steps
from .cells import Table
from .columns import Column, status
from .differences import QUANTITIES_COMPARED, in_words
from .errors import FigureError
from .lookup import Lookup, method_named, task_named
from .quantities import QUANTITIES
from .sources import uses
from .tasks import example_paths
from .under import Under, every, measured_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from .results import Result, Sample
    from .store import Store


@dataclass(frozen=True)
class Change:
    """One figure that changed from one release to the next.

    Attributes
    ----------
    task, method : str
        Names; the task with the form of the run.
    heading : str
        What changed: name of a quantity, or of what was observed.
    index : int
        Of the release that brought it.
    before, after : str
        The figure under the release before, and under this one.
    words : str
        What happened.
    """

    task: str
    method: str
    heading: str
    index: int
    before: str
    after: str
    words: str


@dataclass(frozen=True)
class Across:
    """All releases, oldest first."""

    under: tuple[Under, ...]

    @classmethod
    def in_use(cls) -> Across:
        """Open what was measured under several releases.

        Of the file in use and this machine; where there is none, of the reference machine.

        Raises
        ------
        FigureError
            There is neither.
        """
        return cls(tuple(every()))

    @property
    def stores(self) -> dict[str, Store]:
        """The results of every release, by the names they have among the reference results."""
        return {
            reference.name_of(form, under.name): found
            for under in self.under
            for form, found in under.stores.items()
        }

    @property
    def is_fixed(self) -> bool:
        """Whether they are those of the reference machine."""
        return self.under[0].stores[""].is_fixed

    @property
    def caption(self) -> str:
        """The file and the machine, in one line."""
        first = self.under[0]
        return f"{comparison.described(first.data)} {first.provenance.cpu}."

    def methods(self, task: str) -> list[tuple[str, str]]:
        """Return the names of what was measured of a task: the task with its form, the method."""
        rows = [
            (releases.task_name(task, method.name), method.name)
            for method in task_named(task).methods
        ]
        return [row for row in rows if any(under.get(*row) for under in self.under)]

    def results(self, task_name: str, method_name: str) -> list[Result | None]:
        """Return the result of a method under each release, None where it was not measured."""
        return [under.get(task_name, method_name) for under in self.under]

    def samples(self, task_name: str, method_name: str, quantity: str) -> list[Sample | None]:
        """Return a quantity of a method under each release, None where there is no figure."""
        return [
            result.quantity(quantity)
            if result and result.status == "ok" and result.quantity(quantity).values
            else None
            for result in self.results(task_name, method_name)
        ]

    def steps(self, task_name: str, method_name: str, quantity: str) -> list[int]:
        """Return the indices of the releases that changed a quantity of a method."""
        shared = uses(method_named(task_name, method_name).function, "joblib")
        samples = self.samples(task_name, method_name, quantity)
        return steps.steps(samples, quantity, shared=shared)

    def changes(self) -> list[Change]:
        """Return every change, the oldest first."""
        rows = [row for task in releases.TASKS for row in self.methods(task)]
        found = [change for row in rows for change in self._changes(*row)]
        return sorted(found, key=lambda change: change.index)

    def _changes(self, task: str, method: str) -> Iterator[Change]:
        if task.partition("@")[0] not in releases.UNTIMED:
            for quantity in QUANTITIES_COMPARED:
                yield from self._steps(task, method, quantity)
        results = self.results(task, method)
        for index, (one, two) in enumerate(itertools.pairwise(results), 1):
            if one is None or two is None or _are_near(one, two):
                continue
            before, after = _observed(one), _observed(two)
            if before != after:
                yield Change(task, method, "returns", index, before, after, "another")

    def _steps(self, task: str, method: str, quantity: str) -> Iterator[Change]:
        samples = self.samples(task, method, quantity)
        known = QUANTITIES[quantity]
        for index in self.steps(task, method, quantity):
            after = samples[index]
            before = next(sample for sample in samples[index - 1 :: -1] if sample)
            if after is None:
                raise AssertionError("a step has a figure")
            ratio = max(after.median, known.smallest) / max(before.median, known.smallest)
            words = in_words(quantity, ratio)
            texts = known.write(before.median), known.write(after.median)
            yield Change(task, method, known.heading, index, *texts, words)

    def repeated(self) -> list[int]:
        """Return the releases that have the versions of the one before: no change can be true."""
        pairs = zip(self.under, self.under[1:], strict=False)
        return [n for n, (one, two) in enumerate(pairs, 1) if one.versions == two.versions]

    def table_of_changes(self) -> Table:
        """Return the table of all changes."""
        rows = [
            (
                f"{c.task}.{c.method}",
                " / ".join(self.under[c.index].versions),
                c.heading,
                c.before,
                c.after,
                c.words,
            )
            for c in self.changes()
        ]
        headings = ("method", "since nilearn / nibabel", "figure", "before", "after", "since then")
        return Table(headings, tuple(rows))

    def table(self, task: str, quantity: str) -> Table:
        """Return the table of one quantity of a task: a row for each method; a change is marked.

        Parameters
        ----------
        task : str
            Name of a task.
        quantity : str
            ``"time"`` or ``"peak"``.
        """
        found = {row: self.results(*row) for row in self.methods(task)}
        column = Column(quantity, [result for row in found.values() for result in row if result])
        rows = []
        for (name, method), results in found.items():
            changed = self.steps(name, method, quantity)
            cells = (
                column.cell(result, "→ " if index in changed else "")
                for index, result in enumerate(results)
            )
            rows.append((method, *cells))
        titles = (" / ".join(under.versions) for under in self.under)
        return Table((column.heading, *titles), tuple(rows))

    def plot(self, task: str, quantity: str) -> Figure:
        """Draw one quantity of a task: a panel for each method, a line over the releases."""
        from . import figures  # noqa: PLC0415 - matplotlib is slow to import

        rows = {
            row[1]: (self.samples(*row, quantity), self.steps(*row, quantity))
            for row in self.methods(task)
        }
        title = f"{QUANTITIES[quantity].heading.capitalize()} across releases: "
        title += comparison.titled(task.replace("_", " "), self.caption)
        return figures.plot_releases(
            [under.versions for under in self.under], rows, quantity, title
        )

    def __str__(self) -> str:
        return f"{self.table_of_changes().text()}\n\n{self.caption}"

    def _repr_html_(self) -> str:
        return self.table_of_changes().html(self.caption)


def _observed(result: Result) -> str:
    """Return what can be compared of what a method returned, or why it has no figures."""
    if result.status != "ok":
        return f"{status(result)}: {result.message}"
    return result.returned.text if result.returned and result.returned.text else "an array"


def _are_near(one: Result, two: Result) -> bool:
    """Tell whether two numbers that were returned differ by less than a reader would mind."""
    values = [result.value.values for result in (one, two) if result.status == "ok"]
    if len(values) < len((one, two)) or not all(values):
        return False
    less, more = sorted(abs(value[0]) for value in values)
    return 0 < less <= more < steps.LEAST_RATIO["time"] * less


def compare_releases() -> Across:
    """Return the ways of every task under several releases: of this machine, or of the reference.

    Nothing is measured; that is what ``make releases`` does.

    Raises
    ------
    FigureError
        There are no such results.
    """
    return Across.in_use()


def keep() -> str:
    """Keep what was measured here of the file in use as reference results.

    Returns
    -------
    str
        What was kept, as a sentence.

    Raises
    ------
    FigureError
        Nothing was measured of this file, or its small files were not.
    StoreError
        They cannot be written.
    """
    found = Lookup.in_use()
    if found.store.is_fixed:
        raise FigureError("With MEASURE=0 nothing is measured that could be kept.")
    kept = []
    if any(result.task in example_paths() for result in found.store.all()):
        reference.write(found.stores())
        kept.append("of the site")
    under = measured_here(found.file)
    if len(under) > 1:
        reference.write(Across(tuple(under)).stores)
        kept.append(f"of {len(under)} releases")
    described = comparison.described(found.store.data)
    if not kept:
        raise FigureError(f"Nothing was measured here of {described} Run: make releases.")
    return f"Results {' and '.join(kept)} are the reference now: {described}"
