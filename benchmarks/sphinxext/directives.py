"""Directives that put measured tables, claims and provenance into a page."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from benchmarks import comparison, forms, gauge, provenance, tables, tasks
from benchmarks.cells import Table
from benchmarks.errors import AbsentError, FigureError
from benchmarks.limits import RATES
from benchmarks.lookup import task_named
from benchmarks.quantities import QUANTITIES
from benchmarks.units import format_bytes

from . import pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from docutils.nodes import Node


class MeasuredDirective(SphinxDirective):
    """A directive whose figures may be missing."""

    def run(self) -> list[Node]:
        """Return the content, or a note in its place and a warning."""
        pages.this_page(self.env)
        try:
            return self.measured()
        except AbsentError as error:  # too much for this machine, and no fault of the page
            return [nodes.paragraph("", f"[{error}]", classes=["figure-absent"])]
        except FigureError as error:
            pages.problem(self.env, str(error), self.get_location())
            return [nodes.paragraph("", f"[{error}]", classes=["figure-missing"])]

    def measured(self) -> list[Node]:
        """Return the content.

        Raises
        ------
        FigureError
            A figure is missing or stale, or the directive is not understood.
        """
        raise NotImplementedError


class MeasurementsDirective(MeasuredDirective):
    """``.. measurements:: load``: the table of a task, the published figures beside.

    With ``:forms:`` it is the table of one ``:quantity:``, a row for each of these forms of
    the run. ``:methods:`` chooses the methods. ``:reference:`` shows the reference machine.
    """

    required_arguments = 1
    option_spec: ClassVar[dict[str, Callable[[str], object]]] = {
        "methods": str.split,
        "forms": str.split,
        "quantity": directives.unchanged_required,
        "reference": directives.flag,
    }

    def measured(self) -> list[Node]:
        """Return the table, and under it what is to be said of single rows."""
        task = self.arguments[0]
        methods = self.options.get("methods", ())
        if "forms" in self.options:
            return [self._crossed(task, methods)]
        lookup = pages.reference_lookup() if "reference" in self.options else pages.lookup()
        results = lookup.of_task(task, methods)
        keys = {(result.task, result.method) for result in results}
        published = not keys.isdisjoint(tables.published())
        known = task_named(task).methods
        table = tables.of_results(results, known, as_published=published)
        caption = comparison.caption(lookup.data_of(task), lookup.store.provenance)
        if published:
            caption = f"{caption} {tables.published_source(results[0].task)}"
        remarks = nodes.bullet_list(classes=["remarks"])
        for text in tables.remarks(results):
            remarks += nodes.list_item("", nodes.paragraph("", text))
        return [table_node(table, caption), *([remarks] if remarks.children else [])]

    def _crossed(self, task: str, methods: Sequence[str]) -> nodes.raw:
        quantity = self.options.get("quantity", "time")
        if quantity not in QUANTITIES:
            raise FigureError(f"There is no quantity {quantity!r}.")
        names: list[str] = self.options["forms"]
        rows = [pages.lookup().of_task(f"{task}@{name}", methods, whole=False) for name in names]
        titles = [forms.FORMS[name].title for name in names]
        table = tables.crossed(titles, rows, quantity)
        lookup = pages.lookup()
        first, heading = lookup.data_of(f"{task}@{names[0]}"), QUANTITIES[quantity].heading
        caption = comparison.of_forms(heading, first, lookup.store.provenance)
        return table_node(table, caption, classes=["crossed"])


class PartsDirective(MeasuredDirective):
    """``.. parts:: math_in_parallel@short``: what each peak consists of."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Callable[[str], object]]] = {"methods": str.split}

    def measured(self) -> list[Node]:
        """Return the table."""
        results = pages.lookup().of_task(self.arguments[0], self.options.get("methods", ()))
        machine = comparison.machine(pages.lookup().store.provenance)
        caption = f"What the peak of each way consists of. {machine}"
        return [table_node(tables.of_parts(results), caption)]


class SnippetDirective(MeasuredDirective):
    """``.. snippet:: load.get_fdata``: its code, and what IPython would print of it."""

    required_arguments = 1

    def measured(self) -> list[Node]:
        """Return the code as the example has it, and the lines below it."""
        task_name, _, name = self.arguments[0].rpartition(".")
        result = pages.lookup().find(task_name, name)
        task = task_named(task_name)
        self.env.note_dependency(str(task.path))
        source = inspect.getsource(task.method(name).function)
        store = pages.lookup().store
        label = [f"# {store.provenance.cpu}"] if store.is_fixed else []
        lines = "\n".join([*label, *tables.ipython_lines(result)])
        return [
            nodes.literal_block(source, source, language="python"),
            nodes.literal_block(lines, lines, language="text", classes=["ipython-lines"]),
        ]


class ProvenanceDirective(MeasuredDirective):
    """``.. provenance::``: machine, versions, file, date, number of runs."""

    def measured(self) -> list[Node]:
        """Return a list of fields."""
        store = pages.lookup().store
        published = tasks.example_paths()
        results = [r for r in store.all() if r.task in published and r.method not in RATES]
        if not results:
            raise FigureError("Nothing is measured yet. Measure it with: make html.")
        dates = sorted(result.measured_at for result in results)
        checks = pages.lookup().gauge_checks()
        errors = [abs(check.error_bytes) for check in checks]
        error = f"at most {format_bytes(max(errors, default=0))} on {len(checks)} known calls"
        time_runs = {len(r.time_runs) for r in results if r.status == "ok"}
        memory_runs = {len(r.memory_runs) for r in results if r.status == "ok"}
        rows = [
            ("File", f"{comparison.described(store.data)} {store.data.reason}"),
            *store.provenance.rows(),
            ("Error of the gauge", error if checks else "not checked: the gauge is coarse"),
            ("Measured", f"from {dates[0]} to {dates[-1]}"),
            ("Commit", ", ".join(sorted({r.commit for r in results})) or "not from a checkout"),
            ("Runs a method", f"{_range(time_runs)} for time, {_range(memory_runs)} for memory"),
        ]
        # Which versions of them the reference machine had is not known.
        if programs := "" if store.is_fixed else _programs(published):
            rows.insert(-1, ("Other programs", programs))
        fields = nodes.field_list(classes=["provenance"])
        for name, text in rows:
            body = nodes.field_body("", nodes.paragraph("", text))
            fields += nodes.field("", nodes.field_name("", name), body)
        return [fields]


class GaugeDirective(MeasuredDirective):
    """``.. gauge::``: the gauge's own error on this machine."""

    def measured(self) -> list[Node]:
        """Return the table of known calls."""
        lookup = pages.lookup()
        checks = lookup.gauge_checks()
        if not checks:
            text = f"The gauge in use is coarse, and was not checked: {gauge.name()}."
            return [nodes.paragraph("", text)]
        rows = [
            (
                check.call.label,
                format_bytes(check.call.peak_bytes),
                format_bytes(check.read_bytes),
                format_bytes(check.error_bytes),
                format_bytes(check.call.bound_bytes),
            )
            for check in checks
        ]
        table = Table(("call", "needs", "read", "error", "allowed"), tuple(rows))
        return [table_node(table, f"Known calls on {lookup.store.provenance.cpu}.")]


def _programs(task_names: Iterable[str]) -> str:
    """Write the programs outside Python that methods start, with their versions."""
    methods = (method for name in task_names for method in task_named(name).methods)
    names = sorted({method.program for method in methods} - {""})
    return ", ".join(f"{name} {provenance.program_version(name)}".strip() for name in names)


def _range(counts: set[int]) -> str:
    if not counts:
        return "none"
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def table_node(
    table: Table, caption: str, *, classes: Sequence[str] = (), identity: str = ""
) -> nodes.raw:
    """Return a table as a page has it."""
    markup = table.html(caption, classes=classes, identity=identity)
    return nodes.raw("", markup, format="html")
