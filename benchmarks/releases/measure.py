"""Measure methods under several releases in turns, so that a drift of the machine is in all."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks import progress
from benchmarks.errors import DisagreementError, MethodError, StoreError
from benchmarks.images.workspace import Workspace
from benchmarks.results.result import Result, Status
from benchmarks.results.store import Store, locked, without_series
from benchmarks.runner import execute, self_check
from benchmarks.runner.execute import Failure, Outcome, extended
from benchmarks.runner.launch import HIDDEN_PACKAGE, prepared
from benchmarks.runner.order import Batch, Order
from benchmarks.runner.rounds import Lot, rounds
from benchmarks.runner.snippets import Named
from benchmarks.tasks import agreement, chapter, source
from benchmarks.tasks import task as tasks
from benchmarks.units import format_duration

from . import environments

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.images.image import Image
    from benchmarks.results.provenance import Provenance
    from benchmarks.tasks.task import Method, Task

    Results = tuple[Result, ...]

ADVICE = "Measure it with: make releases."

#: The interpreters of a method under each release, one a turn. What differs from one interpreter
#: to the next, such as where its memory lies, is then no difference between releases.
TURNS = (Batch(time=2, memory=2),) * 2
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
class _Group:
    """Methods of a task that share an interpreter: all or none may import `HIDDEN_PACKAGE`."""

    task: Task
    methods: tuple[Method, ...]
    image: Image
    form: str
    hidden: bool

    def begun(self) -> Results:
        """Return empty results."""
        return tuple(Result.begun(self.task.name, method, self.image) for method in self.methods)

    def stored(self, session: Session) -> Results:
        """Return what a release's results have of each method, or empty results."""
        store = session.stores[self.form]
        found = [store.fresh(self.task.name, m.name, m.source_sha256) for m in self.methods]
        results = tuple(result for result in found if result)
        return results if len(results) == len(found) else self.begun()

    def missing_of(self, result: Result) -> tuple[Batch, ...]:
        """Return the turns that a result still needs."""
        turns = TURNS if chapter.about(self.task.name).timed else UNTIMED_TURNS
        return () if result.failed else turns[len(result.memory_runs) // turns[0].memory :]

    def missing(self, results: Results) -> tuple[Batch, ...]:
        """Return the turns that the methods still need together."""
        return max((self.missing_of(result) for result in results), key=len)


def measure(*, fresh: bool = False) -> None:
    """Measure what is missing (fresh: all) under the ready releases; raises BenchmarkError."""
    workspace = Workspace.ready()
    self_check.ensure(workspace.store)
    folder = environments.releases_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)  # for the lock
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror or error}.") from error
    try:
        with locked(folder, wait=False):
            _measure_all(workspace, fresh=fresh)
    except BlockingIOError as error:
        raise MethodError(
            "Releases are being measured already, and a second measurement would disturb the "
            "first. Wait for its end."
        ) from error


def _measure_all(workspace: Workspace, *, fresh: bool) -> None:
    forms = {about.released or "" for about in chapter.TASKS.values()} | {"short"}
    images = {form: workspace.at(form).data for form in forms}
    sessions = _sessions(images, workspace.store.provenance)
    groups = [
        group
        for group in _groups(images)
        if fresh or any(group.missing(group.stored(session)) for session in sessions)
    ]
    progress.say(f"Measuring under {len(sessions)} releases on {workspace.image.path}.")
    started = time.monotonic()
    for done, group in enumerate(groups, 1):
        rounds(_lots(group, sessions, fresh=fresh))
        elapsed = time.monotonic() - started
        left = format_duration(elapsed / done * (len(groups) - done))
        progress.say(f"releases: {group.task.name}, {len(group.methods)} methods; {left} left")


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


def _groups(images: dict[str, Image]) -> list[_Group]:
    """Return what is measured; nothing that needs another program, or another kind of file."""
    groups = []
    for name, about in chapter.TASKS.items():
        if about.released is None:
            continue
        task = tasks.from_example(tasks.example_paths()[name])
        # They share an interpreter: to import nilearn takes longer than most of them.
        alike: dict[tuple[str, bool], list[Method]] = {}
        for method in task.methods:
            form = chapter.form_of(name, method.name)
            hidden = not source.uses(method.function, HIDDEN_PACKAGE)
            if not method.program and method.takes(images[form].path):
                alike.setdefault((form, hidden), []).append(method)
        groups += [
            _Group(task, tuple(methods), images[form], form, hidden)
            for (form, hidden), methods in alike.items()
        ]
    return groups


def _lots(group: _Group, sessions: list[Session], *, fresh: bool) -> list[Lot]:
    """Return what is measured under each release, each as often as the others."""
    results = [group.stored(session) for session in sessions]
    turns = [len(group.missing(found)) for found in results]
    # One that is measured alone would be compared with what another day gave for the others.
    if fresh or max(turns) - min(turns) > 1:
        results = [group.begun() for _ in sessions]
    return [_lot(group, session, found) for session, found in zip(sessions, results, strict=True)]


def _lot(group: _Group, session: Session, results: Results) -> Lot:
    def run(batch: Batch) -> list[Outcome | Failure]:
        waiting = [n for n, result in enumerate(lot.results) if group.missing_of(result)]
        found = dict(zip(waiting, _outcomes(group, session, waiting, batch), strict=True))
        # A method that failed before stays as it is.
        nothing: Outcome | Failure = Outcome(())
        return [
            Failure(result.status, result.message) if result.failed else found.get(n, nothing)
            for n, result in enumerate(lot.results)
        ]

    def accept(found: Results) -> Results:
        return _agreeing(group, tuple(map(without_series, found)))

    store = session.stores[group.form]
    lot = Lot(group.task.name, results, store, group.missing, run, accept)
    return lot


def _outcomes(
    group: _Group, session: Session, indices: list[int], batch: Batch
) -> list[Outcome | Failure]:
    """Run some of the methods; if one of them fails, each again on its own."""
    # The worker reads the example itself: what a function refers to may lie elsewhere in another
    # release.
    calls = tuple((group.methods[index].name, str(group.image.path)) for index in indices)
    order = Order(Named(str(group.task.path)), calls, batch, reduced=True)
    outcome = execute.run_once(prepared(order, hidden=group.hidden, python=str(session.python)))
    if isinstance(outcome, Outcome):
        return list(outcome.each(len(calls)))
    if len(calls) > 1:
        return [_outcomes(group, session, [index], batch)[0] for index in indices]
    return [replace(outcome, message=outcome.message.splitlines()[0])]


def _agreeing(group: _Group, found: Results) -> Results:
    """Return results, those without figures that returned something else than an earlier one."""
    return tuple(_agreed(group, index, found) for index in range(len(found)))


def _agreed(group: _Group, index: int, found: Results) -> Result:
    method, result = group.methods[index], found[index]
    for earlier in range(index):
        other, theirs = group.methods[earlier], found[earlier].returned
        if other.group == method.group and result.returned and theirs:
            names = other.name, method.name
            try:
                agreement.check(names, theirs, result.returned, group.task.tolerance)
            except DisagreementError as error:
                return extended(result, Failure(Status.DISAGREES, str(error)))
    return result
