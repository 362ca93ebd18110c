"""Find the stored result that a page speaks of, and refuse one that is missing or stale."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING

from . import comparing, costs, forms, gauge, limits, opening, reference, selfcheck, tasks
from .errors import AbsentError, DataError, FigureError, MethodError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .data import FmriFile
    from .limits import Limit
    from .results import Result
    from .runs import Data
    from .selfcheck import Check
    from .store import Store
    from .tasks import Method, Task

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
        self._stores: dict[str, Store | None] = {"": store}

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
        file = opening.chosen()
        return cls(opening.store_of(file), file)

    @property
    def digest(self) -> str:
        """Digest of the results files, empty without one: other bytes, other pages."""
        opened = [self._small, *(self._store_of(f"@{name}") for name in ("", *forms.FORMS))]
        paths = [store.path for store in opened if store]
        content = b"".join(path.read_bytes() for path in paths if path.exists())
        return hashlib.sha256(content).hexdigest() if self.store.path.exists() else ""

    def stores(self) -> dict[str, Store]:
        """Return all that the pages show, by the names that it has among the reference results.

        Raises
        ------
        FigureError
            Small files of the run were not measured.
        """
        opened = {name: self._store_of(f"@{name}") for name in ("", *forms.FORMS)}
        stores = {reference.name_of(name): store for name, store in opened.items() if store}
        return stores | {reference.SIZES: self.small_files()}

    def _store_of(self, task_name: str) -> Store | None:
        """Open the results of what a task is measured on, if there is such a file.

        Raises
        ------
        FigureError
            There is no such form of the run.
        """
        form = task_name.partition("@")[2]
        if form not in self._stores:
            try:
                file = forms.find(self.file, form)
            except DataError as error:
                raise FigureError(str(error)) from error
            self._stores[form] = opening.store_of(file) if file else None
        return self._stores[form]

    def find(self, task_name: str, method_name: str) -> Result:
        """Return the fresh result of a method.

        Parameters
        ----------
        task_name : str
            Name of a task; behind an ``@`` the form of the run, if it is not the file itself.
        method_name : str
            Name of one of its methods.

        Raises
        ------
        AbsentError
            The program that the method needs is not installed.
        FigureError
            There is no such task or method, or its result is missing or stale.
        """
        name = f"{task_name}.{method_name}"
        store, task = self._store_of(task_name), task_named(task_name).name
        is_rate = task in limits.NEEDS and method_name in limits.RATES
        method = None if is_rate else method_named(task_name, method_name)
        result = store.get(task, method_name) if store else None
        if result is None or store is None:
            raise FigureError(f"{name} is not measured on {self.store.data.name}. {self.advice}")
        fresh = comparing.is_fresh(result, method, store) if method else _is_rate_fresh(result)
        if not fresh:
            raise FigureError(f"{name} was measured before its code changed. {self.advice}")
        return limits.with_limit(result, store)

    @property
    def advice(self) -> str:
        """How to have results measured again."""
        return reference.ADVICE if self.store.is_fixed else ADVICE

    def limit(self, task_name: str, method_name: str) -> Limit:
        """Return the least that a method could need; parameters are those of `find`.

        Raises
        ------
        FigureError
            The method has no limit, or what it rests on is not measured.
        """
        store = self._store_of(task_name)
        task = task_named(task_name).name
        found = limits.limit(task, method_name, store) if store else None
        if found is None:
            raise FigureError(
                f"{task_name}.{method_name} has no limit, or none yet. {self.advice}"
            )
        return found

    @functools.cached_property
    def _small(self) -> Store:
        return costs.store_of(self.file, self.store.provenance)

    def small_files(self) -> Store:
        """Return what methods took on small files of the run.

        Raises
        ------
        FigureError
            They were not measured.
        """
        if not self._small.all():
            raise FigureError(f"Small files of the run are not measured yet. {costs.ADVICE}")
        return self._small

    def gauge_checks(self) -> list[Check]:
        """Return what the gauge read of known calls; empty for a coarse gauge.

        Raises
        ------
        FigureError
            The gauge was not checked yet.
        """
        checks = selfcheck.stored(self.store, self.file)
        if not checks and gauge.name() == gauge.NAME:
            raise FigureError(f"The memory gauge is not checked yet. {self.advice}")
        return checks

    def of_task(
        self, task_name: str, methods: Sequence[str] = (), *, whole: bool = True
    ) -> list[Result]:
        """Return the results of a task's methods, in the order of the example.

        Parameters
        ----------
        task_name : str
            As for `find`.
        methods : sequence of str
            Names of the methods; all of them if empty.
        whole : bool
            Whether every method must be there; else those that were never measured on this
            file are left out.

        Methods whose program is not installed are left out always.

        Raises
        ------
        FigureError
            There is no such task, or a result is missing or stale.
        """
        task, store = task_named(task_name), self._store_of(task_name)
        names = [
            name
            for name in methods or [method.name for method in task.methods]
            if name not in task.absent
            and (whole or store is None or store.get(task.name, name) is not None)
        ]
        return [self.find(task_name, name) for name in names]

    def data_of(self, task_name: str) -> Data:
        """Return what a task was measured on; raises FigureError if that file is not there."""
        store = self._store_of(task_name)
        if store is None:
            raise FigureError(f"{task_name} is not measured yet. {self.advice}")
        return store.data


def _is_rate_fresh(result: Result) -> bool:
    return result.source_sha256 == limits.digest()


def method_named(task_name: str, method_name: str) -> Method:
    """Return a method by its name.

    Raises
    ------
    AbsentError
        The program that it needs is not installed.
    FigureError
        There is no such task or method.
    """
    task = task_named(task_name)
    if method_name in task.absent:
        raise AbsentError(f"{task.absent[method_name]} is not installed.")
    try:
        return task.method(method_name)
    except MethodError as error:
        raise FigureError(str(error)) from error


@functools.cache
def task_named(name: str) -> Task:
    """Return the task of an example by its name; a form of the run behind it is left aside.

    Raises
    ------
    FigureError
        There is no example of that name.
    """
    name = name.partition("@")[0]
    paths = tasks.example_paths()
    if name not in paths:
        raise FigureError(f"There is no task {name!r}; there are: {', '.join(paths)}.")
    return tasks.from_example(paths[name])
