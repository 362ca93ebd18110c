"""Code to copy with what it takes, and what the original chapter published."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes

from benchmarks.errors import FigureError
from benchmarks.report import result_tables
from benchmarks.report.captions import machine
from benchmarks.results.quantities import QUANTITIES
from benchmarks.tasks import pasted
from benchmarks.tasks.task import example_paths, task_named
from benchmarks.units import format_range

from . import pages
from .pages import MeasuredDirective, table_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from docutils.nodes import Node
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from benchmarks.results.result import Result
    from benchmarks.results.statistics import Sample


@functools.cache
def _published() -> dict[str, Any]:
    """Return the original's ``wall_seconds`` (%time) and ``increment_bytes`` (%memit), or None."""
    content: dict[str, Any] = json.loads(Path(__file__).with_name("published.json").read_bytes())
    return content


def published_of(task_names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what was published of the methods of tasks, by ``task.method`` as tables name it."""
    entries = _published()["results"]
    return {
        f"{name}.{entry['method']}": entry
        for name in task_names
        for entry in entries
        if entry["task"] == name.partition("@")[0]
    }


def source_of(task_names: Sequence[str]) -> str:
    """Return where the published figures of tasks come from, in sentences."""
    content = _published()
    remarks = (content["remarks"].get(name.partition("@")[0], "") for name in task_names)
    return " ".join(filter(None, [content["source"], *dict.fromkeys(remarks)]))


class PublishedDirective(MeasuredDirective):
    """``.. published:: load math_in_parallel@short``: the original's figures, beside ours."""

    required_arguments = 1
    final_argument_whitespace = True

    def measured(self) -> list[Node]:
        """Return the table."""
        names = self.arguments[0].split()
        published = published_of(names)
        if not published:
            raise FigureError(f"Nothing was published of {' or '.join(names)}.")
        lookup = pages.site()
        ours = {name: lookup.find(*name.split(".")) for name in published}
        files = " ".join(dict.fromkeys(lookup.data_of(name).description for name in names))
        text = (
            f"{source_of(names)} Ours: {files} {machine(lookup.provenance)} Only ratios within a "
            "column compare."
        )
        return [table_node(result_tables.of_published(ours, published), text)]


def code(path: Path, name: str, env: BuildEnvironment) -> nodes.container:
    """Return a function as a page shows it; what it needs is folded in, and copied with it."""
    found = pasted.pasted(path, name)
    for one in found.paths:
        env.note_dependency(str(one))
    block = nodes.container(classes=["pasted"])
    if found.before:
        summary = "<details><summary>Imports and helpers, copied with it</summary>"
        block += nodes.raw("", summary, format="html")
        block += nodes.literal_block(found.before, found.before, language="python")
        block += nodes.raw("", "</details>", format="html")
    block += nodes.literal_block(found.code, found.code, language="python")
    # The button to copy stands beside what it copies, and within this.
    return nodes.container("", block, classes=["snippet"])


class RecipeDirective(MeasuredDirective):
    """``.. recipe:: load.helper``, or what examples share: code that is not measured."""

    required_arguments = 1

    def measured(self) -> list[Node]:
        """Return the code; raises FigureError if there is no such function."""
        task_name, _, name = self.arguments[0].rpartition(".")
        path = example_paths().get(task_name) if task_name else pasted.shared().path
        if path is None:
            raise FigureError(f"There is no task {task_name!r}.")
        return [code(path, name, self.env)]


class SnippetDirective(MeasuredDirective):
    """``.. snippet:: load.get_fdata``: its code, and in one line the time and memory it takes."""

    required_arguments = 1

    def measured(self) -> list[Node]:
        """Return the code to copy, and what stands below it."""
        task_name, _, name = self.arguments[0].rpartition(".")
        result = pages.lookup().find(task_name, name)
        path = task_named(task_name).path
        if path is None:
            raise FigureError(f"The task {task_name} is in no file.")
        shown = code(path, name, self.env)
        shown += taken(result)
        return [shown]


def taken(result: Result) -> nodes.paragraph:
    """Return the line below code: time and memory with their ranges, or what was returned."""
    line = nodes.paragraph(classes=["taken"])
    if result.failed:
        line += nodes.Text(f"No figures: {result.message.rstrip('.')}.")
    elif not result.time_runs:
        line += [nodes.Text("Returns "), nodes.literal("", result.observed)]
    else:
        # Interpreters of workers are there before the call, and in no peak.
        memory = "whole" if result.has_workers else "peak"
        samples = {name: result.quantity(name) for name in ("time", memory)}
        both = {name: sample for name, sample in samples.items() if sample.values}
        text = ", ".join(QUANTITIES[name].shown(both[name].median) for name in both)
        line += pages.figure(f"{text} with its workers" if result.has_workers else text)
        ranges = "; ".join(filter(None, (_range(name, both[name]) for name in both)))
        if ranges:
            line += nodes.inline("", f" ({ranges})", classes=["range"])
    return line


def _range(quantity: str, sample: Sample) -> str:
    """Write the range of the runs; empty if they cannot be told apart."""
    write = QUANTITIES[quantity].shown
    if write(sample.low) == write(sample.high):
        return ""
    return format_range(write, sample.low, sample.high)


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("snippet", SnippetDirective)
    app.add_directive("recipe", RecipeDirective)
    app.add_directive("published", PublishedDirective)
