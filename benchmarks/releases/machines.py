"""The same methods on several machines: the reference machine, and those that were handed in."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

from benchmarks import files
from benchmarks.claims.lookup import Under
from benchmarks.images.variants import VARIANTS
from benchmarks.images.workspace import Workspace
from benchmarks.prediction import roofline
from benchmarks.runner import self_check
from benchmarks.tasks import chapter
from benchmarks.tasks.task import task_named

from . import changes, submission
from .submission import ADVICE, OWN, PACKAGES, STANDARD, Machine

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.images.image import Image
    from benchmarks.results.result import Result
    from benchmarks.results.store import Store
    from benchmarks.runner.self_check import Check


class OnMachine(Under):
    """The results on one file of one machine, under one release."""

    def __init__(self, machine: str, file: str, stores: dict[str, Store[Image]]) -> None:
        super().__init__(machine, stores, PACKAGES, ADVICE)
        self.machine, self.file = machine, file
        self.release = " / ".join(self.versions)
        self.where = f" on {machine}"

    def completed(self, result: Result, store: Store[Image]) -> Result:
        """Return a result with its least time and memory, where they are known."""
        return roofline.completed(result, store)

    @functools.cached_property
    def checks(self) -> list[Check]:
        """What the gauge read of known calls."""
        return self_check.stored(self.store)

    @property
    def gauge_error_bytes(self) -> float:
        """How wrong the gauge was on known calls at most; NaN where that was not looked at."""
        return max((abs(check.error_bytes) for check in self.checks), default=math.nan)


def paths() -> list[Path]:
    """Return the files that were handed in."""
    return sorted(files.MACHINES.glob("*.json"))


def every() -> list[OnMachine]:
    """Return all machines and files, the reference machine with its releases first.

    Raises
    ------
    FigureError
        There are no reference results, or what was handed in is refused.
    """
    found = _of_reference()
    for path in paths():
        given = submission.read(path.read_bytes(), path.name)
        for file in (STANDARD, OWN):
            stores: dict[str, Store[Image]] = {
                form: store for (about, form), store in given.stores.items() if about == file
            }
            if stores:
                found.append(OnMachine(given.title, _file_title(file, stores[""].data), stores))
    return found


def _of_reference() -> list[OnMachine]:
    """Return what the project brings along: of the site, and of other releases than its own."""
    site = Workspace.of_reference()
    provenance = site.store.provenance
    title = Machine(round(provenance.cores), provenance.memory_bytes).title(provenance)
    stores = {form: store for form in ("", *VARIANTS) if (store := site.seen(form))}
    found = [OnMachine(title, _file_title("", site.image), stores)]
    for under in changes.reference():
        one = OnMachine(title, _file_title("", under.data), under.stores)
        one.unsaid = under.unsaid
        if one.release not in {other.release for other in found}:
            found.append(one)
    return found


def _file_title(file: str, image: Image) -> str:
    """Return what a file is called: the one that all measure on, one of a reader, or its name."""
    if file == STANDARD:
        return "standard file (example4d)"
    extent = f"{image.extent}, {image.dtype}{', scaled' if image.scaled else ''}"
    return f"a reader's file: {extent}" if file == OWN else image.name


def rows() -> list[tuple[str, str, int]]:
    """Return what machines are compared by: task with its form, method, and group of a method.

    Methods of one group return the same, so that one can be the best of them.
    """
    return [
        (changes.task_name(task, method.name), method.name, method.group)
        for task in changes.tasks_compared()
        if chapter.about(task).timed
        for method in task_named(task).methods
    ]
