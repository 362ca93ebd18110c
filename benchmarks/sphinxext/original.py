"""What the original chapter published, methods shown as it did (``%time``), code to copy."""

from __future__ import annotations

import functools
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from benchmarks.errors import FigureError
from benchmarks.tasks import pasted
from benchmarks.tasks.task import example_paths, task_named
from benchmarks.units import format_bytes, format_seconds

from . import pages
from .pages import MeasuredDirective

if TYPE_CHECKING:
    from collections.abc import Sequence

    from docutils.nodes import Node
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from benchmarks.results.result import Result


@functools.cache
def _published() -> dict[str, Any]:
    """Return the original's ``wall_seconds`` (%time) and ``increment_bytes`` (%memit), or None."""
    content: dict[str, Any] = json.loads(Path(__file__).with_name("published.json").read_bytes())
    return content


def published_of(results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """Return what was published of these methods of a task, by their names."""
    keys = {(result.task, result.method) for result in results}
    entries = _published()["results"]
    return {e["method"]: e for e in entries if (e["task"], e["method"]) in keys}


def source_of(task: str) -> str:
    """Return where the published figures of a task come from, in sentences."""
    content = _published()
    return f"{content['source']} {content['remarks'].get(task, '')}".strip()


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


class RecipeDirective(SphinxDirective):
    """``.. recipe:: load.helper``, or what examples share: code that is not measured."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Return the code; an error of the page if there is no such function."""
        task_name, _, name = self.arguments[0].rpartition(".")
        path = example_paths().get(task_name) if task_name else pasted.shared().path
        if path is None:
            raise self.error(f"There is no task {task_name!r}.")
        try:
            return [code(path, name, self.env)]
        except FigureError as error:
            raise self.error(str(error)) from error


class SnippetDirective(MeasuredDirective):
    """``.. snippet:: load.get_fdata``: its code, and what IPython would print of it."""

    required_arguments = 1

    def measured(self) -> list[Node]:
        """Return the code to copy, and the lines below it."""
        task_name, _, name = self.arguments[0].rpartition(".")
        result = pages.lookup().find(task_name, name)
        task = task_named(task_name)
        path = task.path
        if path is None:
            raise FigureError(f"The task {task_name} is in no file.")
        store = pages.lookup().store
        label = [f"# {store.provenance.cpu}"] if store.is_reference else []
        given = ", ".join(inspect.signature(task.method(name).function).parameters)
        lines = "\n".join([*label, *ipython_lines(result, given)])
        return [
            code(path, name, self.env),
            nodes.literal_block(lines, lines, language="text", classes=["ipython-lines"]),
        ]


def ipython_lines(result: Result, given: str = "fmri_path") -> list[str]:
    """Return what ``%time`` and ``%memit`` would print, or the value if time was not measured."""
    call = f"{result.method}({given})"
    if result.failed:
        return [f">>> {call}", f"{result.status}: {result.message}"]
    if not result.time_runs:
        return [f">>> {call}", result.observed]
    run = result.peak_run
    peak, increment = run.baseline_bytes + run.peak_bytes, run.peak_bytes
    return [
        f"%time {call}",
        f"CPU times: total: {format_seconds(result.cpu_seconds.median)}",
        f"Wall time: {format_seconds(result.wall_seconds.median)}",
        f"%memit {call}",
        f"peak memory: {format_bytes(peak)}, increment: {format_bytes(increment)}",
    ]


def setup(app: Sphinx) -> None:
    """Register the directives."""
    app.add_directive("snippet", SnippetDirective)
    app.add_directive("recipe", RecipeDirective)
