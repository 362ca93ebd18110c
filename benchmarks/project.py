"""Any project's measurements: the methods of its examples, on what these give them."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmarks import files, progress
from benchmarks.claims.lookup import Lookup
from benchmarks.errors import DataError, FigureError, MethodError
from benchmarks.gauge import peak
from benchmarks.results import provenance, reference_store
from benchmarks.results import store as stores
from benchmarks.results.result import Result
from benchmarks.results.store import Store
from benchmarks.runner import execute, launch, self_check
from benchmarks.runner.order import Order
from benchmarks.runner.rounds import lots_of, metered
from benchmarks.runner.schedule import Plan, is_final
from benchmarks.tasks import source
from benchmarks.tasks import task as tasks

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

    from benchmarks.results.provenance import Provenance
    from benchmarks.runner.execute import Failure, Outcome
    from benchmarks.runner.order import Batch
    from benchmarks.runner.rounds import Lot
    from benchmarks.tasks.task import Method, Task


@dataclass(frozen=True)
class Given:
    """What the methods of a project are given: no file of their own, but what examples name."""

    #: Name of the project.
    name: str
    #: There is no size that a peak could be a multiple of.
    raw_bytes: int = 0
    images: int = 1
    reason: str = ""

    @property
    def path(self) -> Path:
        """A file for the gauge to check itself with; any of some size will do."""
        return reference_store.path_of(reference_store.SIZES)

    @property
    def label(self) -> str:
        """The name."""
        return self.name

    @property
    def description(self) -> str:
        """What stands in captions."""
        return f"{self.name}."

    @property
    def file_bytes(self) -> int:
        """Size of `path`."""
        return self.path.stat().st_size

    def meets(self, condition: str) -> bool:
        """Refuse every condition; raises FigureError."""
        raise FigureError(f"There is no condition {condition!r}: nothing is measured on files.")

    def entry(self) -> dict[str, Any]:
        """Return the name, as JSON can hold it."""
        return {"name": self.name}

    @classmethod
    def from_entry(cls, entry: dict[str, Any], _folder: Path) -> Self:
        """Read what `entry` returned; raises KeyError if it is none."""
        return cls(entry["name"])


class Project(Lookup):
    """The results of a project, for its pages.

    Parameters
    ----------
    store : Store
        The results: of this machine, or as they were brought along.
    """

    def __init__(self, store: Store[Given]) -> None:
        def opened(form: str) -> Store[Given]:
            if form:
                raise DataError(f"There is no form {form!r}: nothing is measured on files.")
            return store

        super().__init__(opened)
        self.where = f" in {store.path.name}"

    @property
    def advice(self) -> str:
        """How to have results measured again."""
        return 'Build the pages with measured_when = "changed", and without MEASURE=0.'

    def method(self, task_name: str, method_name: str) -> Method:
        """Return a method whose digest is also of what it is given."""
        return _keyed(tasks.task_named(task_name), super().method(task_name, method_name))

    def all_digest(self) -> str:
        """Return the digest of results and examples; empty while there are no results."""
        found = super().all_digest()
        content = b"".join(path.read_bytes() for path in tasks.example_paths().values())
        return found and hashlib.sha256(found.encode() + content).hexdigest()

    def measure(self) -> None:
        """Measure what is missing or has changed, in turns; raises BenchmarkError."""
        plan = Plan.of()
        found = [tasks.task_named(name) for name in tasks.example_paths()]
        lots = {task.name: _lots(task, self.store, plan) for task in found}
        if any(lot.left for each in lots.values() for lot in each):
            self_check.ensure(self.store)
        for name, each in lots.items():
            if any(lot.left for lot in each):
                with progress.Meter(name, {lot.label: lot.runs_left for lot in each}) as meter:
                    metered(each, meter)


def opened(name: str, examples: Path, path: Path, *, measuring: bool) -> Project:
    """Open the results of a project, after what has changed was measured.

    Parameters
    ----------
    name : str
        The name of the project.
    examples : Path
        The folder with its examples ``plot_*.py``. In each, ``METHODS`` names functions, and
        ``ARGUMENTS`` is the tuple that every call of one is given; without it, there are none.
    path : Path
        The file with the results. Those of another machine, or of other versions, are kept beside
        it, in a file whose name ends in their digest.
    measuring : bool
        Whether to measure; else the file is shown as it is, with the machine that it is of.

    Raises
    ------
    FigureError
        There is no such file, or no example.
    BenchmarkError
        A method, the gauge or the file is not fit, or two methods disagree.
    """
    files.EXAMPLES = examples.resolve()
    tasks.task_named.cache_clear()
    if not tasks.example_paths():
        raise FigureError(f"{examples} has no plot_*.py with a list METHODS.")
    if not measuring:
        if not path.exists():
            raise FigureError(
                f"There are no results in {path}, and nothing is to be measured. Build the pages "
                'once with measured_when = "changed" and without MEASURE=0.'
            )
        return Project(reference_store.Reference(path, Given))
    here = _here(path)
    if path.exists() and stores.read(path, Given)[0].digest != here.digest:
        _set_aside(path, here)
    found = Project(Store(path.parent, Given(name), here, path))
    found.measure()
    return found


def _set_aside(path: Path, here: Provenance) -> None:
    """Keep results of another machine or other versions beside, and take up those of here."""
    there = stores.read(path, Given)[0]
    path.replace(path.with_stem(f"{path.stem}-{there.digest[:8]}"))
    known = path.with_stem(f"{path.stem}-{here.digest[:8]}")
    if known.exists():
        known.replace(path)


def _here(path: Path) -> Provenance:
    """Describe this machine, with the packages that the methods name."""
    functions = [
        method.function
        for name in tasks.example_paths()
        for method in tasks.task_named(name).methods
    ]
    homes = source.distributions()
    tops = {name.partition(".")[0] for name in source.imports(*functions)}
    names = sorted({name for top in tops for name in homes.get(top, ())})
    versions = {name: importlib.metadata.version(name) for name in names}
    return replace(provenance.here(peak.name(), path.absolute()), packages=versions)


def _keyed(task: Task, method: Method) -> Method:
    """Return a method that is another one if anything of its file changes but other methods."""
    names = {*(one.name for one in task.methods), *task.absent}
    rest = source.rest_sha256(task.path, names) if task.path else ""
    digest = hashlib.sha256(f"{method.source_sha256} {rest}".encode()).hexdigest()
    return replace(method, source_sha256=digest)


def _lots(task: Task, store: Store[Given], plan: Plan) -> list[Lot]:
    """Return a lot for each method, which begins with what is there of it and fresh."""
    results: dict[str, Result] = {}
    methods = [_keyed(task, method) for method in task.methods]
    for method in methods:
        found = None if plan.again else store.fresh(task.name, method.name, method.source_sha256)
        settled = found if found and is_final(found) else None
        results[method.name] = settled or Result.begun(task.name, method, store.data)
    carry_out = functools.partial(_carried_out, plan)
    return lots_of(task, store, results, plan, carry_out)


def _carried_out(plan: Plan, method: Method, batch: Batch, *, reduced: bool) -> Outcome | Failure:
    arguments = method.function.__globals__.get("ARGUMENTS", ())
    if not isinstance(arguments, tuple):
        raise MethodError(
            f"ARGUMENTS beside {method.name} is of type {type(arguments).__name__}. It has to be "
            "a tuple: of a single argument, write ARGUMENTS = (VALUES,) with a comma."
        )
    order = Order(
        method.function,
        (arguments,),
        batch,
        cold_paths=launch.files_of(*arguments) if method.cache == "cold" else (),
        cold_workers=method.cold_workers,
        reduced=reduced,
    )
    return execute.carry_out(launch.prepare(order), plan.bounds)
