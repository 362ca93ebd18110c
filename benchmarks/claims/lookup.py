"""Find the stored result that a page speaks of, and refuse one that is missing or stale."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Any

from benchmarks import files
from benchmarks.errors import DataError, FigureError, StaleError
from benchmarks.gauge import peak
from benchmarks.results import reference_store
from benchmarks.runner import self_check
from benchmarks.tasks import task as tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.results.provenance import Provenance
    from benchmarks.results.result import Result
    from benchmarks.results.store import Store
    from benchmarks.runner.self_check import Check
    from benchmarks.tasks.task import Method

ADVICE = files.advice(
    "Measure it with: make html (or: make measure).", "Measure it with: fmri-bench measure."
)


class Lookup:
    """The results of one file on one machine: on the file itself, and on its variants.

    Parameters
    ----------
    stores : callable
        Given the name of a variant, returns its results, or None if there is no such file; the
        name of the file itself is empty. It may raise DataError for a name that is unknown.
    """

    #: What a sentence says of results that are not there, behind "measured".
    where = ""
    _advice = ADVICE

    def __init__(self, stores: Callable[[str], Store[Any] | None]) -> None:
        self._opened = functools.cache(stores)

    @property
    def store(self) -> Store[Any]:
        """The results on the file itself."""
        found = self._opened("")
        if found is None:
            raise FigureError(f"Nothing is measured{self.where}. {self._advice}")
        return found

    @property
    def provenance(self) -> Provenance:
        """The machine and the versions."""
        return self.store.provenance

    @property
    def data(self) -> Any:
        """The file."""
        return self.store.data

    @property
    def is_reference(self) -> bool:
        """Whether the results are those that come with the project."""
        return self.store.is_reference

    @property
    def advice(self) -> str:
        """How to have results measured again."""
        return reference_store.ADVICE if self.is_reference else self._advice

    def store_of(self, task_name: str) -> Store[Any] | None:
        """Return the store of ``task`` or ``task@variant``, or None; may raise FigureError."""
        try:
            return self._opened(task_name.partition("@")[2])
        except DataError as error:
            raise FigureError(str(error)) from error

    def method(self, task_name: str, method_name: str) -> Method:
        """Return a method whose result can be found; raises FigureError if there is none."""
        return tasks.method_named(task_name, method_name)

    def completed(self, result: Result, _store: Store[Any]) -> Result:
        """Return a result with what is worked out from others."""
        return result

    def get(self, task_name: str, method_name: str) -> Result | None:
        """Return the result of a method, or None if it was not measured; else as `find`."""
        store, task = self.store_of(task_name), tasks.task_named(task_name).name
        method = self.method(task_name, method_name)
        if store is None or store.get(task, method_name) is None:
            return None
        # The release of a program that the reference machine had need not be installed here.
        local = bool(method.program)
        result = store.fresh(task, method_name, method.source_sha256, local=local)
        if result is None:
            raise StaleError(
                f"{task_name}.{method_name} was measured{self.where} before its code changed. "
                f"{self.advice}"
            )
        return self.completed(result, store)

    def find(self, task_name: str, method_name: str) -> Result:
        """Return the fresh result of a method.

        Parameters
        ----------
        task_name : str
            As for `store_of`.
        method_name : str
            Name of one of its methods.

        Raises
        ------
        AbsentError
            The program that the method needs is not installed.
        FigureError
            There is no such task or method, or its result is missing or stale.
        """
        result = self.get(task_name, method_name)
        if result is None:
            name = f"{task_name}.{method_name}"
            raise FigureError(f"{name} is not measured{self.where}. {self.advice}")
        return result

    def of_task(
        self, task_name: str, methods: Sequence[str] = (), *, complete: bool = True
    ) -> list[Result]:
        """Return the results of a task's methods, or of some, in the order of the example.

        Without ``complete``, those that were never measured on this file are left out. Methods
        whose program is not installed are left out always. Raises FigureError as `find`.
        """
        task, store = tasks.task_named(task_name), self.store_of(task_name)
        names = [
            name
            for name in methods or [method.name for method in task.methods]
            if name not in task.absent
            and (complete or store is None or store.get(task.name, name) is not None)
        ]
        return [self.find(task_name, name) for name in names]

    def data_of(self, task_name: str) -> Any:
        """Return what a task was measured on; raises FigureError if that file is not there."""
        store = self.store_of(task_name)
        if store is None:
            raise FigureError(f"{task_name} is not measured yet. {self.advice}")
        return store.data

    def gauge_checks(self) -> list[Check]:
        """Return the gauge's checks, none of a coarse one; raises FigureError if not made yet."""
        checks = self_check.stored(self.store)
        if not checks and peak.name() == peak.NAME:
            raise FigureError(f"The memory gauge is not checked yet. {self.advice}")
        return checks

    def all_digest(self) -> str:
        """Return the digest of all that pages can show; empty while there is nothing."""
        return self.digest(self.store)

    def digest(self, *stores: Store[Any] | None) -> str:
        """Return the digest of results files, empty without any: other bytes, other pages."""
        paths = [store.path for store in stores if store]
        content = b"".join(path.read_bytes() for path in paths if path.exists())
        return hashlib.sha256(content).hexdigest() if self.store.path.exists() else ""


class Under(Lookup):
    """The results under one release of each of some packages; claims are about the first one."""

    #: Quantities that say nothing of a method here, so that claims about them are not judged.
    unsaid: frozenset[str] = frozenset()

    def __init__(
        self, name: str, stores: dict[str, Store[Any]], packages: tuple[str, ...], advice: str
    ) -> None:
        super().__init__(stores.get)
        self.name = name
        self.stores = stores
        self.versions = tuple(self.provenance.packages[package] for package in packages)
        pairs = zip(packages, self.versions, strict=True)
        self.title = ", ".join(f"{package} {version}" for package, version in pairs)
        self.where = f" under {self.title}"
        self._advice = advice
        #: Methods whose code has changed since, so that they are left out: ``task.method``.
        self.outdated: set[str] = set()

    def get(self, task_name: str, method_name: str) -> Result | None:
        """Return the result of a method; None if it was not measured, or its code has changed."""
        # To measure under many releases takes long, and what the others show stays true.
        try:
            return super().get(task_name, method_name)
        except StaleError:
            self.outdated.add(f"{task_name}.{method_name}")
            return None
