"""Find the stored result that a page speaks of, and refuse one that is missing or stale."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING

from . import comparing, data, gauge, selfcheck, tasks
from .errors import FigureError, MethodError

if TYPE_CHECKING:
    from .data import FmriFile
    from .results import Result
    from .selfcheck import Check
    from .store import Store
    from .tasks import Task

ADVICE = "Measure it with: make html (or: make measure)."


class Lookup:
    """The results that the pages show: of the file in use, on this machine.

    Parameters
    ----------
    store : Store
        Opened results.
    file : FmriFile
        The file that they are about.
    """

    def __init__(self, store: Store, file: FmriFile) -> None:
        self.store = store
        self.file = file

    @classmethod
    def in_use(cls) -> Lookup:
        """Open the results of the file that `benchmarks.data.choose` answers.

        Raises
        ------
        DataError
            There is no such file.
        StoreError
            Its results cannot be read.
        """
        file = data.choose()
        return cls(comparing.store_of(file), file)

    @property
    def digest(self) -> str:
        """Digest of the results file, empty without one: other bytes, other pages."""
        path = self.store.path
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""

    def find(self, task_name: str, method_name: str) -> Result:
        """Return the fresh result of a method.

        Raises
        ------
        FigureError
            There is no such task or method, or its result is missing or stale.
        """
        name = f"{task_name}.{method_name}"
        task = task_named(task_name)
        try:
            method = task.method(method_name)
        except MethodError as error:
            raise FigureError(str(error)) from error
        result = self.store.get(task_name, method_name)
        if result is None:
            raise FigureError(f"{name} is not measured on {self.store.data.name}. {ADVICE}")
        if result.source_sha256 != method.source_sha256:
            raise FigureError(f"{name} was measured before its code changed. {ADVICE}")
        return result

    def gauge_checks(self) -> list[Check]:
        """Return what the gauge read of known calls; empty for a coarse gauge.

        Raises
        ------
        FigureError
            The gauge was not checked yet.
        """
        checks = selfcheck.stored(self.store, self.file)
        if not checks and gauge.name() == gauge.NAME:
            raise FigureError(f"The memory gauge is not checked yet. {ADVICE}")
        return checks

    def of_task(self, task_name: str) -> list[Result]:
        """Return the results of a task's methods, in the order of the example.

        Raises
        ------
        FigureError
            There is no such task, or a result is missing or stale.
        """
        return [self.find(task_name, method.name) for method in task_named(task_name).methods]


@functools.cache
def task_named(name: str) -> Task:
    """Return the task of an example by its name.

    Raises
    ------
    FigureError
        There is no example of that name.
    """
    paths = tasks.example_paths()
    if name not in paths:
        raise FigureError(f"There is no task {name!r}; there are: {', '.join(paths)}.")
    return tasks.from_example(paths[name])
