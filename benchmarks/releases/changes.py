"""The same methods under several releases: what changed from one to the next, and what did not."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.claims.lookup import Under
from benchmarks.errors import FigureError
from benchmarks.images import variants
from benchmarks.images.image import Image
from benchmarks.images.workspace import Workspace
from benchmarks.report.captions import titled
from benchmarks.report.result_tables import Column, status
from benchmarks.report.table import Table
from benchmarks.results import reference_store
from benchmarks.results.quantities import LEAST_RATIO, QUANTITIES, in_words
from benchmarks.results.store import at
from benchmarks.tasks import chapter
from benchmarks.tasks.source import uses
from benchmarks.tasks.task import method_named, task_named

from . import change_points, environments
from .measure import ADVICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.figure import Figure

    from benchmarks.results.result import Result
    from benchmarks.results.statistics import Sample
    from benchmarks.results.store import Store

_PACKAGES = ("nilearn", "nibabel")


@dataclass(frozen=True)
class Change:
    """One figure that changed between two releases; the index is that of the later one."""

    task: str
    method: str
    heading: str
    index: int
    before: str
    after: str
    words: str


class UnderRelease(Under):
    """The results under one release: methods share an interpreter, which has imported for all."""

    unsaid = frozenset({"whole"})


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
        return cls(tuple(_every()))

    @property
    def stores(self) -> dict[str, Store[Image]]:
        """The results of every release, by the names they have among the reference results."""
        return {
            reference_store.name_of(form, under.name): found
            for under in self.under
            for form, found in under.stores.items()
        }

    @property
    def is_reference(self) -> bool:
        """Whether they are those of the reference machine."""
        return self.under[0].is_reference

    @property
    def caption(self) -> str:
        """The file and the machine, in one line."""
        first = self.under[0]
        text = f"{first.data.description} {first.provenance.cpu}."
        if outdated := self.outdated():
            text += f" Left out, since their code has changed: {', '.join(outdated)}. {ADVICE}"
        return text

    def outdated(self) -> list[str]:
        """Return the methods that were measured before their code changed: ``task.method``."""
        for task in tasks_compared():
            self.methods(task)  # looks each of them up
        return sorted({name for under in self.under for name in under.outdated})

    def methods(self, task: str) -> list[tuple[str, str]]:
        """Return the names of what was measured of a task: the task with its form, the method."""
        rows = [(task_name(task, method.name), method.name) for method in task_named(task).methods]
        return [row for row in rows if any(under.get(*row) for under in self.under)]

    def results(self, task_name: str, method_name: str) -> list[Result | None]:
        """Return the result of a method under each release, None where it was not measured."""
        return [under.get(task_name, method_name) for under in self.under]

    def samples(self, task_name: str, method_name: str, quantity: str) -> list[Sample | None]:
        """Return a quantity of a method under each release, None where there is no figure."""
        return [
            result.quantity(quantity)
            if result and not result.failed and result.quantity(quantity).values
            else None
            for result in self.results(task_name, method_name)
        ]

    def steps(self, task_name: str, method_name: str, quantity: str) -> list[int]:
        """Return the indices of the releases that changed a quantity of a method."""
        shared = uses(method_named(task_name, method_name).function, "joblib")
        samples = self.samples(task_name, method_name, quantity)
        return change_points.steps(samples, quantity, shared=shared)

    def changes(self) -> list[Change]:
        """Return every change, the oldest first."""
        rows = [row for task in tasks_compared() for row in self.methods(task)]
        found = [change for row in rows for change in self._changes(*row)]
        return sorted(found, key=lambda change: change.index)

    def _changes(self, task: str, method: str) -> Iterator[Change]:
        if chapter.about(task.partition("@")[0]).timed:
            for quantity in LEAST_RATIO:
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
        from benchmarks.report import plots  # noqa: PLC0415 - matplotlib is slow to import

        rows = {
            row[1]: (self.samples(*row, quantity), self.steps(*row, quantity))
            for row in self.methods(task)
        }
        title = f"{QUANTITIES[quantity].heading.capitalize()} across releases: "
        title += titled(task.replace("_", " "), self.caption)
        return plots.plot_releases([under.versions for under in self.under], rows, quantity, title)

    def __str__(self) -> str:
        return f"{self.table_of_changes().text()}\n\n{self.caption}"

    def _repr_html_(self) -> str:
        return self.table_of_changes().html(self.caption)


def _observed(result: Result) -> str:
    """Return what can be compared of what a method returned, or why it has no figures."""
    if result.failed:
        return f"{status(result)}: {result.message}"
    returned = result.returned
    if returned is None or (returned.kind == "array" and not returned.text):
        return "an array"
    return returned.text or returned.kind


def _are_near(one: Result, two: Result) -> bool:
    """Tell whether two numbers that were returned differ by less than a reader would mind."""
    values = [result.value.values for result in (one, two) if not result.failed]
    if len(values) < len((one, two)) or not all(values):
        return False
    less, more = sorted(abs(value[0]) for value in values)
    return 0 < less <= more < LEAST_RATIO["time"] * less


def compare_releases() -> Across:
    """Return the ways of every task under several releases: of this machine, or of the reference.

    Nothing is measured; that is what ``make releases`` does in the repository.

    Raises
    ------
    FigureError
        There are no such results.
    """
    return Across.in_use()


def tasks_compared() -> list[str]:
    """Return the names of the tasks that are measured under several releases."""
    return [name for name, about in chapter.TASKS.items() if about.released is not None]


def task_name(task: str, method: str) -> str:
    """Return the name of a task with the form that a method is compared on."""
    form = chapter.form_of(task, method)
    return f"{task}@{form}" if form else task


def _every() -> list[Under]:
    """Open what was measured under each release, here or on the reference; raises FigureError."""
    workspace = Workspace.chosen()
    found = [] if workspace.is_reference else measured_here(workspace.image)
    if len(found) > 1:
        return found
    found = reference()
    if not found:
        raise FigureError(f"No releases were measured. {ADVICE}")
    return found


def measured_here(image: Image) -> list[Under]:
    """Return what was measured under each release, oldest first, by the machine of the latest."""
    # A short file is its own short variant: one results file is about both.
    forms = chapter.released_forms() | {"short"}
    made = {form: variants.find(image, form) if form else image for form in forms}
    digests = {form: one.sha256 for form, one in made.items() if one}
    found = []
    for release in environments.RELEASES:
        stores: dict[str, Store[Image]] = {}
        for path in sorted(release.results.glob("*.json"), key=_changed):
            opened = at(path, Image)
            stores |= {n: opened for n, sha256 in digests.items() if sha256 == opened.data.sha256}
        found += _under(release.name, stores)
    last = max(found, key=_measured_at, default=None)
    return [under for under in found if last and _machine(under) == _machine(last)]


def reference() -> list[Under]:
    """Return what the reference machine measured under each release, oldest first."""
    found = []
    for release in environments.RELEASES:
        paths = reference_store.path_of(reference_store.name_of("", release.name)).parent
        stores: dict[str, Store[Image]] = {
            path.stem.partition("@")[2]: reference_store.opened(path, Image)
            for path in sorted(paths.glob("*.json"))
        }
        found += _under(release.name, stores)
    return found


def _under(name: str, stores: dict[str, Store[Image]]) -> list[Under]:
    return [UnderRelease(name, stores, _PACKAGES, ADVICE)] if "" in stores else []


def _changed(path: Path) -> float:
    return path.stat().st_mtime


def _machine(under: Under) -> str:
    return replace(under.provenance, packages={}).digest


def _measured_at(under: Under) -> str:
    return max((r.measured_at for s in under.stores.values() for r in s.all()), default="")
