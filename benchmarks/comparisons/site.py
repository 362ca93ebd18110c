"""All that the pages show of the file in use: results, least times, small files, the gauge."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from benchmarks.claims.lookup import Lookup
from benchmarks.errors import FigureError
from benchmarks.images.variants import VARIANTS
from benchmarks.images.workspace import Workspace
from benchmarks.prediction import predict, roofline
from benchmarks.results import reference_store
from benchmarks.tasks.task import task_named

from . import tools

if TYPE_CHECKING:
    from benchmarks.images.image import Image
    from benchmarks.prediction.basis import Basis
    from benchmarks.prediction.roofline import Roofline
    from benchmarks.results.result import Result
    from benchmarks.results.store import Store
    from benchmarks.tasks.task import Method


class Site(Lookup):
    """The results that the pages show: of the file in use, on this machine or the reference's.

    Parameters
    ----------
    workspace : Workspace
        The file in use.
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace.seen)
        self.image = workspace.image
        self.where = f" on {self.image.name}"
        self._workspace = workspace

    @classmethod
    def in_use(cls) -> Site:
        """Open the results of the file in use; raises DataError, StoreError or FigureError."""
        return cls(Workspace.chosen())

    def get(self, task_name: str, method_name: str) -> Result | None:
        """Return the result of a method, or what a tool said of a call: those are no task."""
        if task_name == tools.TASK:
            return tools.said_of(self.store, method_name)
        return super().get(task_name, method_name)

    def method(self, task_name: str, method_name: str) -> Method:
        """Return a method, or the kernel of a rate, whose result can be found."""
        rate = roofline.rate_named(task_named(task_name).name, method_name)
        return rate or super().method(task_name, method_name)

    def completed(self, result: Result, store: Store[Image]) -> Result:
        """Return a result with its least time and memory, where they are known."""
        return roofline.completed(result, store)

    def roofline(self, task_name: str, method_name: str) -> Roofline:
        """Return the least that a method could need; raises FigureError if it is not known."""
        store = self.store_of(task_name)
        task = task_named(task_name).name
        found = roofline.roofline(task, method_name, store) if store else None
        if found is None:
            raise FigureError(
                f"{task_name}.{method_name} has no limit, or none yet. {self.advice}"
            )
        return found

    @functools.cached_property
    def basis(self) -> Basis:
        """What predictions rest on."""
        return predict.basis_of(self._workspace)

    def all_digest(self) -> str:
        """Return the digest of all results files; empty while there is none of the file itself."""
        return self.digest(
            self.basis.store, *(self.store_of(f"@{name}") for name in ("", *VARIANTS))
        )

    def stores(self) -> dict[str, Store[Image]]:
        """Return all by the names of the reference, small files where they were measured here."""
        opened = {name: self.store_of(f"@{name}") for name in ("", *VARIANTS)}
        stores = {reference_store.name_of(name): one for name, one in opened.items() if one}
        small = self._workspace.small_files()
        return stores | ({reference_store.SIZES: small} if small.all() else {})
