"""Measure methods under several releases in turns, so that a drift of the machine is in all."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks import files, progress
from benchmarks.errors import DisagreementError, MethodError, StoreError
from benchmarks.images.workspace import Workspace
from benchmarks.results.result import Result, Status
from benchmarks.results.store import Store, locked, without_series
from benchmarks.runner import execute, self_check
from benchmarks.runner.execute import Failure, Outcome, extended
from benchmarks.runner.launch import HIDDEN_PACKAGE, prepare
from benchmarks.runner.order import Batch, Order
from benchmarks.runner.rounds import Lot, rounds
from benchmarks.runner.schedule import may_be_chance
from benchmarks.tasks import agreement, chapter, source
from benchmarks.tasks import task as tasks
from benchmarks.tasks.snippets import Named
from benchmarks.units import format_duration

from . import environments

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.images.image import Image
    from benchmarks.results.provenance import Provenance
    from benchmarks.runner.rounds import Results
    from benchmarks.tasks.task import Method, Task


ADVICE = files.advice(
    "Measure it with: make releases.", "They are measured in a checkout of the project."
)

#: The interpreters of a method under each release, one a turn. What differs from one interpreter
#: to the next, such as where its memory lies, is then no difference between releases.
TURNS = (Batch(time=2, memory=2),) * 2
COLD_TURNS = (Batch(time=2, memory=1),) * 2
UNTIMED_TURNS = (Batch(memory=1),)

#: What an environment is asked for.
_VERSIONS = (
    "import json; from benchmarks.results.provenance import installed_packages as versions; "
    "print(json.dumps(versions()))"
)


@dataclass(frozen=True)
class Session:
    """One release: the interpreter of its environment, and its results by the variant."""

    python: Path
    stores: dict[str, Store[Image]]


@dataclass(frozen=True)
class _Shared:
    """Methods of a task that share an interpreter, which is to be the same for all of them."""

    task: Task
    methods: tuple[Method, ...]
    image: Image
    form: str
    #: Whether `HIDDEN_PACKAGE` cannot be imported.
    hidden: bool
    #: Whether each call has to start its workers.
    cold_workers: bool

    def begun(self) -> Results:
        """Return empty results."""
        return tuple(Result.begun(self.task.name, method, self.image) for method in self.methods)

    def stored(self, session: Session) -> Results:
        """Return what a release's results have of each method, or empty results."""
        store = session.stores[self.form]
        found = [store.fresh(self.task.name, m.name, m.source_sha256) for m in self.methods]
        results = tuple(result for result in found if result and not may_be_chance(result))
        return results if len(results) == len(found) else self.begun()

    def missing_of(self, result: Result) -> tuple[Batch, ...]:
        """Return the turns that a result still needs."""
        timed = COLD_TURNS if self.cold_workers else TURNS
        turns = timed if chapter.about(self.task.name).timed else UNTIMED_TURNS
        return () if result.failed else turns[len(result.memory_runs) // turns[0].memory :]

    def missing(self, results: Results) -> tuple[Batch, ...]:
        """Return the turns that the methods still need together."""
        return max((self.missing_of(result) for result in results), key=len)


def measure(*, again: bool = False) -> None:
    """Measure what is missing (again: all) under the ready releases; raises BenchmarkError."""
    workspace = Workspace.ready()
    self_check.ensure(workspace.store)
    folder = environments.releases_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)  # for the lock
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror or error}.") from error
    try:
        with locked(folder, wait=False):
            _measure_all(workspace, again=again)
    except BlockingIOError as error:
        raise MethodError(
            "Releases are being measured already, and a second measurement would disturb the "
            "first. Wait for its end."
        ) from error


def _measure_all(workspace: Workspace, *, again: bool) -> None:
    forms = chapter.released_forms() | {"short"}
    images = {form: workspace.at(form).data for form in forms}
    sessions = _sessions(images, workspace.store.provenance)
    found = [
        shared
        for shared in _shared(images)
        if again or any(shared.missing(shared.stored(session)) for session in sessions)
    ]
    progress.say(f"Measuring under {len(sessions)} releases on {workspace.image.path}.")
    started = time.monotonic()
    for done, shared in enumerate(found, 1):
        rounds(_lots(shared, sessions, again=again))
        elapsed = time.monotonic() - started
        left = format_duration(elapsed / done * (len(found) - done))
        progress.say(f"releases: {shared.task.name}, {len(shared.methods)} methods; {left} left")


def _sessions(images: dict[str, Image], here: Provenance) -> list[Session]:
    sessions = []
    for release in environments.RELEASES:
        python = release.interpreter()
        if python is None:
            progress.say(f"There is no environment for {release.name}; it is left out.")
            continue
        provenance = replace(here, packages=_packages(python))
        stores = {
            form: Store(release.results, image, provenance) for form, image in images.items()
        }
        sessions.append(Session(python, stores))
    if not sessions:
        raise MethodError(
            "There is no environment for any release. Make them with: make releases."
        )
    return sessions


def _packages(python: Path) -> dict[str, str]:
    """Ask an environment for the versions of what is installed in it."""
    answer = subprocess.run([python, "-c", _VERSIONS], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise MethodError(
            f"The environment of {python} does not work: {answer.stderr.strip()[-200:]} "
            "Remove the folder .nox and run: make releases."
        )
    packages: dict[str, str] = json.loads(answer.stdout)
    return packages


def _shared(images: dict[str, Image]) -> list[_Shared]:
    """Return what is measured; nothing that needs another program, or another kind of file."""
    found = []
    for name, about in chapter.TASKS.items():
        if about.released is None:
            continue
        task = tasks.from_example(tasks.example_paths()[name])
        # They share an interpreter: to import nilearn takes longer than most of them.
        alike: dict[tuple[str, bool, bool], list[Method]] = {}
        for method in task.methods:
            form = chapter.form_of(name, method.name)
            hidden = not source.uses(method.function, HIDDEN_PACKAGE)
            if not method.program and method.takes(images[form].path):
                alike.setdefault((form, hidden, method.cold_workers), []).append(method)
        found += [
            _Shared(task, tuple(methods), images[form], form, hidden, cold_workers)
            for (form, hidden, cold_workers), methods in alike.items()
        ]
    return found


def _lots(shared: _Shared, sessions: list[Session], *, again: bool) -> list[Lot]:
    """Return what is measured under each release, each as often as the others."""
    results = [shared.stored(session) for session in sessions]
    turns = [len(shared.missing(found)) for found in results]
    # One that is measured alone would be compared with what another day gave for the others.
    if again or max(turns) - min(turns) > 1:
        results = [shared.begun() for _ in sessions]
    return [_lot(shared, session, found) for session, found in zip(sessions, results, strict=True)]


def _lot(shared: _Shared, session: Session, results: Results) -> Lot:
    def carry_out(results: Results, batch: Batch) -> list[Outcome | Failure | None]:
        waiting = [n for n, result in enumerate(results) if shared.missing_of(result)]
        found = dict(zip(waiting, _outcomes(shared, session, waiting, batch), strict=True))
        return [found.get(n) for n in range(len(results))]

    def accept(found: Results) -> Results:
        return _agreeing(shared, tuple(map(without_series, found)))

    store = session.stores[shared.form]
    return Lot(shared.task.name, results, store, shared.missing, carry_out, accept)


def _outcomes(
    shared: _Shared, session: Session, indices: list[int], batch: Batch
) -> list[Outcome | Failure]:
    """Run some of the methods; if one of them fails, each again on its own."""
    # The worker reads the example itself: what a function refers to may lie elsewhere in another
    # release.
    calls = tuple((shared.methods[index].name, str(shared.image.path)) for index in indices)
    order = Order(
        Named(str(shared.task.path)),
        calls,
        batch,
        cold_workers=shared.cold_workers,
        reduced=True,
    )
    imports = source.imports(*(shared.methods[index].function for index in indices))
    prepared = prepare(order, hidden=shared.hidden, python=str(session.python), imports=imports)
    outcome = execute.carry_out(prepared)
    if isinstance(outcome, Outcome):
        return list(outcome.each(len(calls)))
    if len(calls) > 1:
        return [_outcomes(shared, session, [index], batch)[0] for index in indices]
    return [replace(outcome, message=outcome.message.splitlines()[0])]


def _agreeing(shared: _Shared, found: Results) -> Results:
    """Return the results; one that differs from an earlier one of its group loses its figures."""
    return tuple(_agreed(shared, index, found) for index in range(len(found)))


def _agreed(shared: _Shared, index: int, found: Results) -> Result:
    method, result = shared.methods[index], found[index]
    for earlier in range(index):
        other, theirs = shared.methods[earlier], found[earlier].returned
        if other.group == method.group and result.returned and theirs:
            names = other.name, method.name
            try:
                agreement.check(names, theirs, result.returned, shared.task.tolerance)
            except DisagreementError as error:
                return extended(result, Failure(Status.DISAGREES, str(error)))
    return result
