"""Directives that put measured tables, claims and provenance into a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from benchmarks import comparing, gauge, tables, tasks
from benchmarks.claims import Claim, Expression, Verdict
from benchmarks.errors import FigureError
from benchmarks.tables import Table
from benchmarks.units import format_bytes

from . import pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from docutils.nodes import Node


#: What a verdict is called in the page, and how a reader should take it.
WORDS = {
    Verdict.HOLDS: "Holds here",
    Verdict.CONTRADICTED: "Contradicted by this build",
    Verdict.UNDECIDED: "Undecided: the runs reach to both sides of the bound",
    Verdict.ELSEWHERE: "Not about this file, or the releases installed here",
}


class MeasuredDirective(SphinxDirective):
    """A directive whose figures may be missing."""

    def run(self) -> list[Node]:
        """Return the content, or a note in its place and a warning."""
        pages.this_page(self.env)
        try:
            return self.measured()
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
    """``.. measurements:: load``: the table of a task, the published figures beside."""

    required_arguments = 1

    def measured(self) -> list[Node]:
        """Return the table, and under it what is to be said of single rows."""
        task = self.arguments[0]
        lookup = pages.lookup()
        results = lookup.of_task(task)
        published = any(key[0] == task for key in tables.published())
        table = tables.of_results(results, as_published=published)
        caption = comparing.Comparison(
            task, tuple(results), lookup.store.data, lookup.store.provenance
        ).caption
        if published:
            caption = f"{caption} {tables.published_source()}"
        remarks = nodes.bullet_list(classes=["remarks"])
        for text in tables.remarks(results):
            remarks += nodes.list_item("", nodes.paragraph("", text))
        return [_table_node(table, caption), *([remarks] if remarks.children else [])]


class ClaimDirective(MeasuredDirective):
    """``.. claim::``: a statement with a bound, and what the measurements say of it."""

    has_content = True
    option_spec: ClassVar[dict[str, Callable[[str], object]]] = {
        "faster": directives.unchanged_required,
        "leaner": directives.unchanged_required,
        "than": directives.unchanged_required,
        "value": directives.unchanged_required,
        "at-least": float,
        "at-most": float,
        "when": directives.unchanged_required,
        "nilearn": directives.unchanged_required,
        "nibabel": directives.unchanged_required,
    }
    required_arguments = 0
    optional_arguments = 1

    def measured(self) -> list[Node]:
        """Return the statement and its verdict."""
        lookup = pages.lookup()
        claim = self._claim()
        verdict, value = claim.judge(
            lookup.find, lookup.store.provenance.packages, lookup.store.data
        )
        pages.this_page(self.env).claims.append((claim, verdict, value))
        line = WORDS[verdict]
        if value:
            line += f": measured {value}, claimed {claim.bound}."
        kind = verdict.name.lower()
        box = nodes.container(classes=["claim", f"claim-{kind}"])
        box += self.parse_content_to_nodes()
        box += nodes.paragraph("", line, classes=["claim-verdict"])
        return [box]

    def _claim(self) -> Claim:
        options = self.options
        source, line = self.get_source_info()
        return Claim(
            text=" ".join(" ".join(self.content).split()),
            expression=Expression.parse(self._expression()),
            at_least=options.get("at-least"),
            at_most=options.get("at-most"),
            place=f"{self.env.path2doc(source) or source}, line {line}",
            when=tuple(options.get("when", "").replace(",", " ").split()),
            releases=tuple((p, options[p]) for p in ("nilearn", "nibabel") if p in options),
        )

    def _expression(self) -> str:
        """Turn ``:faster: a :than: b`` into ``task.b.time / task.a.time``."""
        named = {"faster": "time", "leaner": "peak"}
        given = [name for name in (*named, "value") if name in self.options]
        if len(given) != 1:
            raise FigureError("A claim has one of the options faster, leaner and value.")
        if given[0] == "value":
            text: str = self.options["value"]
            return text
        if "than" not in self.options or not self.arguments:
            raise FigureError(f"A claim with {given[0]} needs a task, and the option than.")
        task, better, worse = self.arguments[0], self.options[given[0]], self.options["than"]
        quantity = named[given[0]]
        return f"{task}.{worse}.{quantity} / {task}.{better}.{quantity}"


class ProvenanceDirective(MeasuredDirective):
    """``.. provenance::``: machine, versions, file, date, number of runs."""

    def measured(self) -> list[Node]:
        """Return a list of fields."""
        store = pages.lookup().store
        published = tasks.example_paths()
        results = [result for result in store.all() if result.task in published]
        if not results:
            raise FigureError("Nothing is measured yet. Measure it with: make html.")
        dates = sorted(result.measured_at for result in results)
        checks = pages.lookup().gauge_checks()
        errors = [abs(check.error_bytes) for check in checks]
        error = f"at most {format_bytes(max(errors, default=0))} on {len(checks)} known calls"
        time_runs = {len(r.time_runs) for r in results if r.status == "ok"}
        memory_runs = {len(r.memory_runs) for r in results if r.status == "ok"}
        rows = [
            ("File", f"{comparing.described(store.data)} {store.data.reason}"),
            *store.provenance.rows(),
            ("Error of the gauge", error if checks else "not checked: the gauge is coarse"),
            ("Measured", f"from {dates[0]} to {dates[-1]}"),
            ("Commit", ", ".join(sorted({r.commit for r in results})) or "not from a checkout"),
            ("Runs a method", f"{_range(time_runs)} for time, {_range(memory_runs)} for memory"),
        ]
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
        return [_table_node(table, f"Known calls on {lookup.store.provenance.cpu}.")]


def _range(counts: set[int]) -> str:
    if not counts:
        return "none"
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def _table_node(table: Table, caption: str) -> nodes.table:
    group = nodes.tgroup(cols=len(table.headings))
    for index in range(len(table.headings)):
        group += nodes.colspec(colwidth=2 if index == 0 else 1)
    group += nodes.thead("", _row(*map(nodes.Text, table.headings)))
    body = [
        _row(
            nodes.literal("", name) if name.isidentifier() else nodes.Text(name),
            *map(nodes.Text, cells),
        )
        for name, *cells in table.rows
    ]
    group += nodes.tbody("", *body)
    return nodes.table("", nodes.title("", caption), group, classes=["measurements"])


def _row(*cells: Node) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))
