"""Figures in sentences, tables of tasks, what a build rests on, and the gauge's own error."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives

from benchmarks.claims.expressions import Expression
from benchmarks.comparisons.forms import caption_of
from benchmarks.comparisons.site import Site
from benchmarks.errors import FigureError
from benchmarks.gauge import peak
from benchmarks.images.variants import VARIANTS
from benchmarks.prediction.roofline import RATES
from benchmarks.report import result_tables
from benchmarks.report.captions import caption, machine
from benchmarks.report.table import Table
from benchmarks.results.quantities import QUANTITIES
from benchmarks.runner import self_check
from benchmarks.tasks.task import example_paths, program_version, task_named
from benchmarks.units import format_bytes, format_range

from . import pages
from .pages import MeasuredDirective, MeasuredRole, table_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from benchmarks.runner.self_check import Check


class FigureRole(MeasuredRole):
    """``:measured:`load.get_fdata.time``` (1 term) or ``:ratio:`a.b.time / a.c.time``` (2)."""

    def __init__(self, terms: int) -> None:
        self._terms = terms

    def written(self) -> str:
        """Return the median."""
        expression = Expression.parse(self.text)
        if min(len(expression.terms), 2) != self._terms:
            wanted = "one quantity" if self._terms == 1 else "a ratio of quantities"
            raise FigureError(f":{self.name}:`{self.text}` is not {wanted}.")
        return expression.write(expression.evaluate(pages.lookup().find).median)


class MeasurementsDirective(MeasuredDirective):
    """``.. measurements:: load``: the table of a task.

    With ``:forms:`` it is the table of one ``:quantity:``, a row for each of these forms of
    the run. ``:methods:`` chooses the methods.
    """

    required_arguments = 1
    option_spec: ClassVar[dict[str, Callable[[str], object]]] = {
        "methods": str.split,
        "forms": str.split,
        "quantity": directives.unchanged_required,
    }

    def measured(self) -> list[Node]:
        """Return the table."""
        task = self.arguments[0]
        methods = self.options.get("methods", ())
        if "forms" in self.options:
            return [self._crossed(task, methods)]
        lookup = pages.lookup()
        results = lookup.of_task(task, methods)
        table = result_tables.of_results(results, task_named(task).methods)
        return [table_node(table, caption(lookup.data_of(task), lookup.provenance))]

    def _crossed(self, task: str, methods: Sequence[str]) -> nodes.raw:
        quantity = self.options.get("quantity", "time")
        if quantity not in QUANTITIES:
            raise FigureError(f"There is no quantity {quantity!r}.")
        names: list[str] = self.options["forms"]
        rows = [
            pages.lookup().of_task(f"{task}@{name}", methods, complete=False) for name in names
        ]
        titles = [VARIANTS[name].title for name in names]
        table = result_tables.crossed(titles, rows, quantity)
        first, heading = pages.lookup().data_of(f"{task}@{names[0]}"), QUANTITIES[quantity].heading
        text = caption_of(heading, first, pages.lookup().provenance)
        return table_node(table, text, classes=["crossed"])


class PartsDirective(MeasuredDirective):
    """``.. parts:: math_in_parallel@short``: what each peak consists of."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Callable[[str], object]]] = {"methods": str.split}

    def measured(self) -> list[Node]:
        """Return the table."""
        results = pages.lookup().of_task(self.arguments[0], self.options.get("methods", ()))
        text = f"What the peak of each method consists of. {machine(pages.lookup().provenance)}"
        return [table_node(result_tables.of_parts(results), text)]


class ProvenanceDirective(MeasuredDirective):
    """``.. provenance::``: machine, versions, file, date, number of runs."""

    def measured(self) -> list[Node]:
        """Return a list of fields."""
        store = pages.lookup().store
        published = example_paths()
        results = [r for r in store.all() if r.task in published and r.method not in RATES]
        if not results:
            raise FigureError(f"Nothing is measured yet. {pages.lookup().advice}")
        dates = sorted(result.measured_at for result in results)
        timed = [r for r in results if r.time_runs and not r.failed]
        time_runs = {len(r.time_runs) for r in results if not r.failed}
        memory_runs = {len(r.memory_runs) for r in results if not r.failed}
        rows = [
            ("File", f"{store.data.description} {store.data.reason}"),
            *store.provenance.rows(),
            ("Error of the gauge", _largest_errors(pages.lookup().gauge_checks())),
            ("Measured", f"from {dates[0]} to {dates[-1]}"),
            ("Repeats", f"{_range(time_runs)} for time, {_range(memory_runs)} for memory"),
            ("Noisy", f"the times of {sum(r.is_noisy for r in timed)} of {len(timed)} methods"),
        ]
        if isinstance(pages.lookup(), Site):  # else it would be that of this package
            commits = ", ".join(sorted({r.commit for r in results}))
            rows.insert(-1, ("Commit", commits or "not from a checkout"))
        # Which versions of them the reference machine had is not known.
        if programs := "" if store.is_reference else _programs(published):
            rows.insert(-1, ("Other programs", programs))
        fields = nodes.field_list(classes=["provenance"])
        for name, text in rows:
            body = nodes.field_body("", nodes.paragraph("", text))
            fields += nodes.field("", nodes.field_name("", name), body)
        return [fields]


def _largest_errors(checks: Sequence[Check]) -> str:
    """Write how far readings of known calls were off, apart where each fork takes some itself."""
    parts = []
    for forks, words in ((False, "known calls"), (True, "that fork, what a fork takes included")):
        errors = [abs(check.error_bytes) for check in checks if bool(check.call.forks) == forks]
        if errors:
            parts.append(f"at most {format_bytes(max(errors))} on {len(errors)} {words}")
    return "; ".join(parts) or "not checked: the gauge is coarse"


class GaugeDirective(MeasuredDirective):
    """``.. gauge::``: the gauge's own error on this machine."""

    def measured(self) -> list[Node]:
        """Return the table of known calls."""
        lookup = pages.lookup()
        checks = lookup.gauge_checks()
        if not checks:
            text = f"The gauge in use is coarse, and was not checked: {peak.name()}."
            return [nodes.paragraph("", text)]
        rows = [
            (
                check.call.label,
                format_bytes(check.call.peak_bytes),
                format_bytes(check.read_bytes),
                format_bytes(check.error_bytes),
                _allowed(check),
            )
            for check in checks
        ]
        table = Table(("call", "needs", "read", "error", "allowed"), tuple(rows))
        return [table_node(table, f"Known calls on {lookup.provenance.cpu}.")]


def _allowed(check: Check) -> str:
    """Write between what the error of a known call may lie, with what its forks copy."""
    bound = check.call.bound_bytes
    own = check.call.forks * (check.fork_bytes or self_check.MOST_FORK_BYTES)
    return format_range(format_bytes, -bound, bound + own)


def _programs(task_names: Iterable[str]) -> str:
    """Write the programs outside Python that methods start, with their versions."""
    methods = (method for name in task_names for method in task_named(name).methods)
    names = sorted({method.program for method in methods} - {""})
    return ", ".join(f"{name} {program_version(name)}".strip() for name in names)


def _range(counts: set[int]) -> str:
    if not counts:
        return "none"
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def setup(app: Sphinx) -> None:
    """Register roles and directives."""
    app.add_role("measured", FigureRole(terms=1))
    app.add_role("ratio", FigureRole(terms=2))
    app.add_directive("measurements", MeasurementsDirective)
    app.add_directive("parts", PartsDirective)
    app.add_directive("gauge", GaugeDirective)
    app.add_directive("provenance", ProvenanceDirective)
