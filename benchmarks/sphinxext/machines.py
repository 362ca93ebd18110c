"""Directives about several machines: methods against machines, the machines, and the claims."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from docutils import nodes

from benchmarks.claims import judge
from benchmarks.claims.claim import Verdict
from benchmarks.errors import FigureError
from benchmarks.releases import machines
from benchmarks.releases.submission import STANDARD
from benchmarks.report.result_tables import NONE, Column
from benchmarks.report.table import Amount, Table, template
from benchmarks.results import provenance, reference_store
from benchmarks.results.quantities import QUANTITIES
from benchmarks.tasks.chapter import SHOWN_WITH
from benchmarks.units import format_bytes

from . import pages
from .pages import MeasuredDirective, table_node

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

    from benchmarks.claims.claim import Claim
    from benchmarks.releases.machines import OnMachine
    from benchmarks.results.result import Result

SCRIPTS = ("units.js", "machines.js")

#: What machines are compared by, and what that is called there.
SHOWN = {
    "time": "time",
    "whole": "all memory",
    "peak": "peak",
    "times_least": "x limit",
}

_EVERY = ("", "every one")

#: Figures are shown in three digits; more of them would only make the page heavier.
_DIGITS = 4

#: A statement is compared where so many machines can tell.
_SEVERAL = 2


class Machines(nodes.Invisible, nodes.Element):
    """The form with its data, and a table for readers without a script."""


class ClaimsOnMachines(nodes.Invisible, nodes.Element):
    """Stands for the table of claims until all pages are read."""


@functools.cache
def _every(_digest: str) -> tuple[OnMachine, ...]:
    return tuple(machines.every())


def every() -> tuple[OnMachine, ...]:
    """Return all machines; raises FigureError if one that was handed in is refused."""
    return _every(pages.digest())


class MachinesDirective(MeasuredDirective):
    """``.. machines::``: one quantity of every method on every machine, filtered and sorted."""

    def measured(self) -> list[Node]:
        """Return the form."""
        pages.site()  # there is none for another project
        return [Machines(content=content(every()), table=_table_without_script(every()))]


class MachineListDirective(MeasuredDirective):
    """``.. machine-list::``: what the machines are, and how far their figures can be trusted."""

    def measured(self) -> list[Node]:
        """Return the table."""
        table = Table(
            (
                "machine",
                "file",
                "nilearn / nibabel",
                "gauge off by",
                "noisy",
                "measured until",
                "system",
            ),
            tuple(map(_described, every())),
        )
        text = (
            "The gauge is off by at most so much on calls whose need is known, what their forks "
            "copy included. Noisy are times whose median is not known to a tenth."
        )
        found: list[Node] = [table_node(table, text, identity="list-of-machines")]
        return [*found, nodes.paragraph("", alike(every()))]


class ClaimsOnMachinesDirective(MeasuredDirective):
    """``.. claims-on-machines::``: the verdict of each machine on the statements of the site."""

    def measured(self) -> list[Node]:
        """Return what stands for the table until the claims of all pages are known."""
        every()
        pages.this_page(self.env).listed = ""
        return [ClaimsOnMachines()]


def alike(found: tuple[OnMachine, ...]) -> str:
    """Say how much the machines differ, and so how far it reaches that something holds on all."""
    processors = sorted({reference_store.unlabelled(one.provenance.cpu) for one in found})
    virtual = sum(provenance.VIRTUAL in one.provenance.system for one in found)
    kinds = f"{len(processors)} kinds of processor: {', '.join(processors)}"
    if len(processors) == 1:
        kinds = f"one kind of processor, {processors[0]}"
    which = {0: "none", len(found): "every one"}.get(virtual, "some")
    return f"So far these are results of {kinds}, and {which} of them is from a virtual machine."


def _described(one: OnMachine) -> tuple[str, ...]:
    results = [result for store in one.stores.values() for result in store.all()]
    timed = [result for result in results if result.time_runs and not result.failed]
    error = one.gauge_error_bytes
    return (
        one.machine,
        one.file,
        one.release,
        NONE if math.isnan(error) else format_bytes(error),
        f"{sum(result.is_noisy for result in timed)} of {len(timed)}",
        max((result.measured_at[:10] for result in results), default=NONE),
        one.provenance.system,
    )


def content(found: tuple[OnMachine, ...]) -> dict[str, Any]:
    """Return all that the script needs, as JSON can hold it."""
    rows = [row for row in machines.rows() if any(_get(one, *row[:2]) for one in found)]
    return {
        "shown": SHOWN_WITH,
        "file": default_file(found),
        "entries": [_entry(one) for one in found],
        "rows": [
            {
                "task": task.partition("@")[0],
                "name": f"{task}.{method}",
                "group": f"{task} {group}",
                "cells": [_cell(_get(one, task, method), one.unsaid) for one in found],
            }
            for task, method, group in rows
        ],
    }


def default_file(found: tuple[OnMachine, ...]) -> str:
    """Return the file that is shown at first: the one that most machines have measured."""
    on = {one.file: {two.machine for two in found if two.file == one.file} for one in found}
    return max(on, key=lambda file: (len(on[file]), STANDARD in file))


def _entry(one: OnMachine) -> dict[str, str]:
    error = one.gauge_error_bytes
    gauge = "gauge not checked" if math.isnan(error) else f"gauge within {format_bytes(error)}"
    return {
        "id": _short(f"{one.machine} {one.file} {one.release} {one.provenance.digest}"),
        "machine": one.machine,
        "machineId": _short(one.machine),
        "file": one.file,
        "release": one.release,
        "gauge": gauge,
    }


def _short(text: str) -> str:
    """Return what stands for a text in an address, and stays when others come."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _get(one: OnMachine, task: str, method: str) -> Result | None:
    try:
        return one.get(task, method)
    except FigureError:  # a program that is not installed here
        return None


def _cell(result: Result | None, unsaid: frozenset[str]) -> Any:
    """Return median, least and largest run by quantity; a word where a method has no figures."""
    if result is None:
        return None
    if result.failed:
        return str(result.status)
    found: dict[str, Any] = {"noisy": result.is_noisy}
    for name in SHOWN:
        if (sample := result.quantity(name)).values and name not in unsaid:
            smallest = QUANTITIES[name].smallest if name in {"whole", "peak"} else 0.0
            three = (max(v, smallest) for v in (sample.median, sample.low, sample.high))
            found[name] = [float(f"{value:.{_DIGITS}g}") for value in three]
    return found


def _table_without_script(found: tuple[OnMachine, ...]) -> str:
    """Return the time of every way on the file that is shown at first."""
    shown = [one for one in found if one.file == default_file(found)]
    rows = {
        (task, method): [_get(one, task, method) for one in shown]
        for task, method, _ in machines.rows()
    }
    there = {key: results for key, results in rows.items() if any(results)}
    column = Column("time", [r for results in there.values() for r in results if r])
    cells = (
        (".".join(key), *(_with_spread(column, result) for result in results))
        for key, results in there.items()
    )
    titles = (f"{one.machine}; {one.release}" for one in shown)
    table = Table((column.heading, *titles), tuple(cells))
    return table.html(f"{default_file(found)}.", classes=["calculated"])


def _with_spread(column: Column, result: Result | None) -> Amount | str:
    cell = column.cell(result, "~" if result and not result.failed and result.is_noisy else "")
    if not isinstance(cell, Amount) or result is None:
        return str(cell)
    sample = result.wall_seconds
    return replace(cell, runs=(sample.low, sample.median, sample.high))


def resolve(app: Sphinx, doctree: nodes.document, _docname: str) -> None:
    """Put the table of claims in its place."""
    for node in list(doctree.findall(ClaimsOnMachines)):
        claims = [claim for claim, _ in pages.all_claims(app.env)]
        node.replace_self(_claims(claims, every()))


def _claims(claims: list[Claim], found: tuple[OnMachine, ...]) -> list[Node]:
    # Of releases, another page tells; here is the newest one of each machine and file.
    columns = list({(one.machine, one.file): one for one in found}.values())
    judged = []
    for claim in {replace(claim, place=""): claim for claim in claims}.values():
        verdicts = [
            judge.of_release(claim, one).verdict for one in columns if not claim.changed_in
        ]
        known = [verdict for verdict in verdicts if verdict is not Verdict.ELSEWHERE]
        if len(known) >= _SEVERAL:
            judged.append((claim, verdicts, set(known) == {Verdict.HOLDS}))
    judged.sort(key=lambda row: row[2])
    rows = (
        (
            claim.text.replace("``", ""),
            "yes" if everywhere else "no",
            *(NONE if verdict is Verdict.ELSEWHERE else str(verdict) for verdict in verdicts),
        )
        for claim, verdicts, everywhere in judged
    )
    titles = (f"{one.machine}; {one.file}; {one.release}" for one in columns)
    table = Table(("statement", "holds on all", *titles), tuple(rows))
    holding = sum(everywhere for *_, everywhere in judged)
    said = (
        f"{len(judged)} statements of this site could be judged on more than one machine or file. "
        f"{holding} of them hold on all of these."
    )
    text = "Statements, those that do not hold everywhere first. A dash: not measured there."
    return [
        nodes.paragraph("", said),
        table_node(table, text, classes=["statements"], identity="claims-on-machines"),
    ]


def visit(translator: Any, node: Machines) -> None:
    """Write the form, and the table for readers without a script."""
    data = node["content"]
    entries = data["entries"]
    page = template("benchmarks.sphinxext", "machines.html.jinja").render(
        tasks=[_EVERY, *((n, n) for n in dict.fromkeys(row["task"] for row in data["rows"]))],
        quantities=list(SHOWN.items()),
        files=[_EVERY, *((n, n) for n in dict.fromkeys(e["file"] for e in entries))],
        releases=[_EVERY, *((n, n) for n in dict.fromkeys(e["release"] for e in entries))],
        machines=list({e["machineId"]: e["machine"] for e in entries}.items()),
        table=node["table"],
        # No text may end the element that holds it.
        content=json.dumps(data).replace("<", "\\u003c"),
    )
    translator.body.append(page)
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Register the directives and what they need."""
    app.add_directive("machines", MachinesDirective)
    app.add_directive("machine-list", MachineListDirective)
    app.add_directive("claims-on-machines", ClaimsOnMachinesDirective)
    pages.add_form(app, Machines, visit, *SCRIPTS)
    app.add_node(ClaimsOnMachines)
    app.connect("doctree-resolved", resolve)
