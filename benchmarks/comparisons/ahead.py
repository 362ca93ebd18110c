"""What will be measured, and about how long it takes: told by the results of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import progress
from benchmarks.errors import FigureError
from benchmarks.images.variants import VARIANTS
from benchmarks.images.workspace import Workspace
from benchmarks.prediction import roofline
from benchmarks.runner.schedule import LAYOUTS, is_final
from benchmarks.tasks.task import Method, example_paths, task_named

from . import tools

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from benchmarks.images.image import Image
    from benchmarks.results.result import Result
    from benchmarks.results.store import Store
    from benchmarks.runner.schedule import Plan

#: A run is forked, and may start workers, in about this time, s.
_START_SECONDS = 0.3

#: A method whose time is not measured takes about this long, s.
_UNTIMED_SECONDS = 0.5


def expect(names: Iterable[str], workspace: Workspace, plan: Plan) -> None:
    """Announce what is to be measured of some tasks, as far as the reference machine did.

    What it measured of a form of the run is measured here as well, or of the form behind an ``@``
    alone. It takes as long, but for the size of the run.
    """
    if not workspace.is_reference:
        progress.expect(_expected(set(names), workspace, plan))


def _expected(names: set[str], workspace: Workspace, plan: Plan) -> dict[str, float]:
    try:
        there = Workspace.of_reference()
    except FigureError:  # nothing tells, but what is there when its turn comes
        return {}
    found: dict[str, float] = {}
    # A file that is short has its short form by itself.
    forms: dict[Path, str] = {}
    for form in ("", *VARIANTS):
        theirs, ours = there.seen(form), workspace.seen(form)
        name = forms.setdefault(ours.path, form) if ours else form
        size = ours.data.raw_bytes / theirs.data.raw_bytes if ours and theirs else 1.0
        for result in theirs.all() if theirs else ():
            asked = {result.task, f"{result.task}@{form}"} & names
            if asked and _is_missing(result, ours, plan):
                label = f"{result.task}@{name}" if name else result.task
                found.setdefault(f"{label}.{result.method}", _seconds(result, plan, size))
    return found


def _is_missing(theirs: Result, ours: Store[Image] | None, plan: Plan) -> bool:
    """Tell whether what the reference machine measured has to be measured here, if it can be."""
    method = _method(theirs)
    if method is None or (ours and not method.takes(ours.data.path)):
        return False
    found = ours.get(theirs.task, theirs.method, theirs.cache) if ours else None
    if found is None or plan.again or not is_final(found):
        return True
    changed = method.source_sha256 not in ("", found.source_sha256)
    return changed or len(found.time_runs) < min(len(theirs.time_runs), plan.runs)


def _method(result: Result) -> Method | None:
    """Return the method of a result, None if it is gone or its program is not here."""
    if rate := roofline.rate_named(result.task, result.method):
        return rate
    if result.task in example_paths():
        methods = {method.name: method for method in task_named(result.task).methods}
        return methods.get(result.method)
    if result.task == tools.TASK and result.method.partition(":")[0] not in tools.NAMES:
        return None
    # In no list of methods: whether its code has changed is seen when its turn comes.
    return Method(result.method, len, "", "")


def _seconds(result: Result, plan: Plan, size: float) -> float:
    """Return how long a method may take on a file so many times as large as the reference's."""
    time, memory = (min(len(runs), plan.runs) for runs in (result.time_runs, result.memory_runs))
    interpreters = min(max(time, memory), LAYOUTS)
    each = result.wall_seconds.median * size if result.time_runs else _UNTIMED_SECONDS
    # Each makes a warm-up call.
    return interpreters * _START_SECONDS + (time + memory + interpreters) * each
