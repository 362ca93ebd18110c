"""Measure the same methods under several releases of nilearn and nibabel, in turns.

Every interpreter of one release is followed by one of the next, so that a machine that becomes
slower does so for all of them. The methods of a task share an interpreter: to import nilearn takes
longer than most of them. Each release has a results file of its own.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import (
    agreement,
    comparing,
    costs,
    environments,
    forms,
    opening,
    orders,
    progress,
    runner,
    selfcheck,
    tasks,
)
from .errors import DisagreementError, MethodError, StoreError
from .orders import Batch
from .runner import Failure, Outcome
from .store import Store, locked, without_series
from .units import format_duration

if TYPE_CHECKING:
    from pathlib import Path

    from .data import FmriFile
    from .provenance import Provenance
    from .results import Result
    from .tasks import Method, Task

#: Which tasks are measured, and on which form of the run: as their examples have it. A task that
#: only repeats methods of others, at other lengths or on other files, is not among them.
TASKS = {
    "load": "",
    "mean_over_time": "",
    "extract_volume": "",
    "math_in_parallel": "short",
    "mask_in_parallel": "short",
    "proxy_and_array": "short",
}

#: Tasks that look at an image; their time says nothing.
UNTIMED = ("proxy_and_array",)

ADVICE = "Measure it with: make releases."

#: The interpreters of a method under each release, one a turn. What differs from one interpreter
#: to the next, such as where its memory lies, is then no difference between releases.
TURNS = (Batch(time=2, memory=2),) * 2
UNTIMED_TURNS = (Batch(memory=1),)

#: What an environment is asked for.
_VERSIONS = (
    "import json; from benchmarks.provenance import installed_packages as versions; "
    "print(json.dumps(versions()))"
)


@dataclass(frozen=True)
class Session:
    """One release, and the results of one file under it.

    Attributes
    ----------
    python : Path
        The interpreter of its environment.
    stores : dict of Store
        Its results, by the form of the run.
    """

    python: Path
    stores: dict[str, Store]


@dataclass(frozen=True)
class _Group:
    """Methods that follow one another in an interpreter, on one form of the run.

    They are of one task, and all or none of them may import `orders.HIDDEN_PACKAGE`.
    """

    task: Task
    methods: tuple[Method, ...]
    file: FmriFile
    form: str


def form_of(task: str, method: str) -> str:
    """Return on which form of the run a method is measured; empty for the run itself."""
    # What takes minutes on a whole run is measured on a short one.
    return "short" if (task, method) in costs.READS_AGAIN else TASKS[task]


def task_name(task: str, method: str) -> str:
    """Return the name of a task, with the form that a method of it is measured on."""
    form = form_of(task, method)
    return f"{task}@{form}" if form else task


def measure(*, fresh: bool = False) -> None:
    """Measure what is not measured yet under the releases whose environment is ready.

    Parameters
    ----------
    fresh : bool
        Whether to measure again what is stored.

    Raises
    ------
    BenchmarkError
        The file or the store is not fit, or no environment is ready.
    """
    file, published = opening.ready()
    selfcheck.ensure(published, file)
    folder = environments.releases_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)  # for the lock
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror or error}.") from error
    try:
        with locked(folder, wait=False):
            _measure_all(file, published.provenance, fresh=fresh)
    except BlockingIOError as error:
        raise MethodError(
            "Releases are being measured already, and a second measurement would disturb the "
            "first. Wait for its end."
        ) from error


def _measure_all(file: FmriFile, here: Provenance, *, fresh: bool) -> None:
    files = {form: forms.of(file, form) if form else file for form in set(TASKS.values())}
    sessions = _sessions(files, here)
    groups = [group for group in _groups(files) if fresh or _is_missing(group, sessions)]
    progress.say(f"Measuring under {len(sessions)} releases on {file.path}.")
    started = time.monotonic()
    for done, group in enumerate(groups, 1):
        _measure(group, sessions, fresh=fresh)
        elapsed = time.monotonic() - started
        left = format_duration(elapsed / done * (len(groups) - done))
        progress.say(f"releases: {group.task.name}, {len(group.methods)} methods; {left} left")


def _sessions(files: dict[str, FmriFile], here: Provenance) -> list[Session]:
    sessions = []
    for release in environments.RELEASES:
        python = release.interpreter()
        if python is None:
            progress.say(f"There is no environment for {release.name}; it is left out.")
            continue
        provenance = replace(here, packages=_packages(python))
        stores = {
            form: Store(release.results, file.data, provenance) for form, file in files.items()
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


def _groups(files: dict[str, FmriFile]) -> list[_Group]:
    """Return what is measured; nothing that needs another program, or another kind of file."""
    groups = []
    for name in TASKS:
        task = tasks.from_example(tasks.example_paths()[name])
        alike: dict[tuple[str, bool], list[Method]] = {}
        for method in task.methods:
            form = form_of(name, method.name)
            if not method.program and method.takes(files[form].path):
                alike.setdefault((form, orders.is_hidden(method)), []).append(method)
        groups += [
            _Group(task, tuple(methods), files[form], form) for (form, _), methods in alike.items()
        ]
    return groups


def _is_missing(group: _Group, sessions: list[Session]) -> bool:
    return any(_turns(group, _stored(group, session)) for session in sessions)


def _stored(group: _Group, session: Session) -> list[Result]:
    """Return what a release's results have of each method, or empty results."""
    results = []
    for method in group.methods:
        found = session.stores[group.form].get(group.task.name, method.name)
        if found is None or found.source_sha256 != method.source_sha256:
            return _begun(group)
        results.append(found)
    return results


def _begun(group: _Group) -> list[Result]:
    return [comparing.begun(group.task, method, group.file, "warm") for method in group.methods]


def _batches(group: _Group, result: Result) -> tuple[Batch, ...]:
    """Return the turns that a result still needs."""
    if result.status != "ok":
        return ()
    turns = UNTIMED_TURNS if group.task.name in UNTIMED else TURNS
    return turns[len(result.memory_runs) // turns[0].memory :]


def _turns(group: _Group, results: list[Result]) -> int:
    """Return in how many more interpreters the methods have to run."""
    return max(len(_batches(group, result)) for result in results)


def _measure(group: _Group, sessions: list[Session], *, fresh: bool) -> None:
    """Measure methods under every release, each as often as the others before the next turn."""
    results = [_stored(group, session) for session in sessions]
    turns = [_turns(group, found) for found in results]
    # One that is measured alone would be compared with what another day gave for the others.
    if fresh or max(turns) - min(turns) > 1:
        results = [_begun(group) for _ in sessions]
        turns = [_turns(group, found) for found in results]
    for turn in range(max(turns), 0, -1):
        for index, session in enumerate(sessions):
            if _turns(group, results[index]) == turn:
                results[index] = _run(group, session, results[index])
                session.stores[group.form].put(*results[index])


def _run(group: _Group, session: Session, results: list[Result]) -> list[Result]:
    """Return results with the runs of one more interpreter of a release."""
    waiting = [n for n, result in enumerate(results) if _batches(group, result)]
    batch = _batches(group, results[waiting[0]])[0]
    found = dict(enumerate(results))
    for index, outcome in zip(waiting, _outcomes(group, session, waiting, batch), strict=True):
        found[index] = without_series(runner.extended(results[index], outcome))
    return [_agreeing(group, index, found) for index in found]


def _outcomes(
    group: _Group, session: Session, indices: list[int], batch: Batch
) -> list[Outcome | Failure]:
    """Run some of the methods; if one of them fails, each again on its own."""
    if group.task.path is None:
        raise AssertionError("an example has a path")
    methods = [group.methods[index] for index in indices]
    order = orders.elsewhere(batch, methods, group.task.path, str(group.file.path), session.python)
    outcome = runner.run_once(order)
    if isinstance(outcome, Outcome):
        return list(runner.parts(outcome, batch, len(methods)))
    if len(methods) > 1:
        return [_outcomes(group, session, [index], batch)[0] for index in indices]
    return [replace(outcome, message=outcome.message.splitlines()[0])]


def _agreeing(group: _Group, index: int, found: dict[int, Result]) -> Result:
    """Return a result as it is, or without figures if an earlier one returned something else."""
    method, result = group.methods[index], found[index]
    for earlier in range(index):
        other, theirs = group.methods[earlier], found[earlier].returned
        if other.group == method.group and result.returned and theirs:
            names = other.name, method.name
            try:
                agreement.check(names, theirs, result.returned, group.task.tolerance)
            except DisagreementError as error:
                failure = Failure("disagrees", str(error))
                return runner.extended(result, failure)
    return result
