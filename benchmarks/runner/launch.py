"""Pickle an order, and have it carried out: through a keeper on Linux, alone elsewhere."""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import cloudpickle
import psutil

from benchmarks import files, progress
from benchmarks.errors import MethodError
from benchmarks.gauge import machine, shared_memory
from benchmarks.tasks import source

from . import keeper
from .order import Origin, command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .order import Assignment, Order

#: What a method gets only if it names it: nibabel uses it wherever it is installed.
HIDDEN_PACKAGE = "indexed_gzip"

#: glibc gives blocks back at once that are larger than 32 MiB, and others if it is told to
#: (mallopt(3), M_MMAP_THRESHOLD). So the memory of a small file is to that of a large one as
#: their sizes are.
ALL_GIVEN_BACK = {"MALLOC_MMAP_THRESHOLD_": str(64 * 1024)}

#: Dask's variable with the address of a scheduler. A method gets it only if a user asks for that:
#: else it would be measured on other machines without anybody noticing.
SCHEDULER = "DASK_SCHEDULER_ADDRESS"

#: joblib's variable with the number of processors, from which follows that of workers as long as a
#: method does not set it.
WORKERS = "LOKY_MAX_CPU_COUNT"

#: What only this process is told: in the environment of a run, it would need another template.
_OURS = {"FMRI_BENCH_RESULTS", "FMRI_BENCH_CACHE", "PYTEST_CURRENT_TEST"}

#: A keeper that is told to end its tree needs a fraction of this.
_KEEPER_SECONDS = 10


@dataclass(frozen=True)
class Prepared:
    """A pickled `Order` on its way, and the interpreter that it is for."""

    payload: bytes
    weighed: bool
    origin: Origin
    fresh: bool = False


def prepare(  # noqa: PLR0913 - all that one interpreter can differ in from another
    order: Order,
    *,
    hidden: bool | None = None,
    variables: Mapping[str, str] | None = None,
    python: str = sys.executable,
    imports: Sequence[str] | None = None,
    fresh: bool = False,
) -> Prepared:
    """Pickle an order for an interpreter that has imported what its function names.

    Parameters
    ----------
    order : Order
        What is carried out.
    hidden : bool, optional
        Whether `HIDDEN_PACKAGE` cannot be imported; by default it can if the function names it.
    variables : mapping, optional
        Environment variables that are added.
    python : str
        The interpreter's program.
    imports : sequence of str, optional
        Packages to import beforehand; by default those that the function names.
    fresh : bool
        Whether the interpreter is started for this order alone, and not forked.

    Raises
    ------
    MethodError
        The function or an argument cannot be pickled.
    """
    payload = _pickled(order)
    names = source.imports(order.function) if imports is None else imports
    is_hidden = not source.uses(order.function, HIDDEN_PACKAGE) if hidden is None else hidden
    found = environment(hidden=is_hidden, here=python == sys.executable) | dict(variables or {})
    pairs = tuple(sorted(found.items()))
    origin = Origin(python, tuple(names), pairs, str(Path.cwd()), order.batch.layout)
    return Prepared(payload, order.batch.memory > 0, origin, fresh)


def _pickled(order: Order) -> bytes:
    try:
        payload: bytes = cloudpickle.dumps(order)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
        name = getattr(order.function, "__name__", repr(order.function))
        raise MethodError(
            f"{name} cannot be sent to another process: {error}. Locks, generators and "
            "connections cannot travel; make them inside the function."
        ) from error
    return payload


def files_of(*given: Any) -> tuple[str, ...]:
    """Return those arguments that are paths of files, or lists of them."""
    lists = (value for value in given if isinstance(value, (list, tuple)))
    values = [*given, *itertools.chain.from_iterable(lists)]
    paths = [os.fspath(value) for value in values if isinstance(value, (str, os.PathLike))]
    return tuple(path for path in paths if Path(path).is_file())


def environment(*, hidden: bool, here: bool = True) -> dict[str, str]:
    """Return the environment variables of a worker, with our packages ``here``, else its own."""
    # Methods of an importable module are sent by its name.
    # An empty entry of the path is the folder that a session works in.
    searched = [entry or str(Path.cwd()) for entry in sys.path] if here else []
    path = [*([str(files.HIDDEN)] if hidden else []), *searched]
    inherited = {k: v for k, v in os.environ.items() if k != SCHEDULER and k not in _OURS}
    # With one heap for all threads, what any of them freed can be given back before a call.
    found = inherited | {"PYTHONPATH": os.pathsep.join(path), "MALLOC_ARENA_MAX": "1"}
    # joblib sees the affinity, but no batch job and no cgroup above its own.
    return {WORKERS: str(max(1, int(machine.cores())))} | found


class _Keeper:
    """The process that keeps templates and watches runs, for as long as this one lives."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        module = "benchmarks.runner.keeper"
        with theirs:
            self._process = subprocess.Popen(
                [*command(sys.executable, module), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a Ctrl-C is for this process alone
                env=environment(hidden=False),
            )
        self._temporary = ""

    @property
    def is_there(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def see_through(self, assignment: Assignment, files: Sequence[IO[bytes]]) -> None:
        """Have a run carried out; return when it has ended, or the keeper has."""
        self._temporary = assignment.temporary
        descriptors = [file.fileno() for file in files]
        # If it has ended, there is no report, which says it all.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self._socket, [b"."], descriptors)
            if self._socket.recv(1):
                return
        self.end()

    def end(self) -> None:
        """Close the socket, by which it knows that it is to end all it keeps; see that it does."""
        self._socket.close()
        try:
            self._process.wait(_KEEPER_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # Nothing is left here unless it was killed.
        folders = [Path(self._temporary), shared_memory.shared_memory()]
        for folder in filter(None, folders if self._temporary else []):
            for path in folder.glob(f"{keeper.prefix(self._process.pid)}*"):
                shutil.rmtree(path, ignore_errors=True)


_LOCK = threading.Lock()
_KEPT: list[_Keeper] = []


def end_templates() -> None:
    """End the templates and their keeper, which start again when they are needed."""
    while _KEPT:
        _KEPT.pop().end()


atexit.register(end_templates)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_KEPT.clear)


def with_keeper(
    assignment: Assignment, prepared: Prepared, answer: IO[bytes], printed: IO[bytes]
) -> dict[str, Any]:
    """Carry out an order by the keeper, which ends the whole tree; return what was answered."""
    with _LOCK, tempfile.TemporaryFile() as given:
        given.write(pickle.dumps(assignment) + prepared.payload)
        given.seek(0)
        if not (_KEPT and _KEPT[0].is_there):
            end_templates()
            _KEPT.append(_Keeper())
        try:
            _KEPT[0].see_through(assignment, (given, answer, printed))
        except BaseException:
            end_templates()  # whatever interrupts this also ends the run
            raise
    found = _answers(answer)
    if not (prepared.fresh or found.get("keeper", {}).get("forked", True)):
        _say_that_it_cannot_fork(prepared.origin.imports)
    return found


@functools.cache  # once is enough
def _say_that_it_cannot_fork(imports: tuple[str, ...]) -> None:
    names = ", ".join(imports)
    progress.say(f"Each run with {names} starts an interpreter: importing it starts threads.")


def alone(
    assignment: Assignment, prepared: Prepared, answer: IO[bytes], printed: IO[bytes]
) -> dict[str, Any]:
    """Do without a keeper: no bound of memory, and what a killed worker had started stays."""
    ended, left = "", 0
    with (
        # Methods write files too; on Windows one may still be open.
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        subprocess.Popen(
            command(prepared.origin.python, "benchmarks.runner.worker"),
            stdin=subprocess.PIPE,
            stdout=answer,
            stderr=printed,
            env=dict(prepared.origin.environment)
            | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch),
        ) as worker,
    ):
        try:
            worker.communicate(prepared.payload, assignment.most_seconds)
        except subprocess.TimeoutExpired:
            ended = "time"
        finally:
            left = _end(worker)
    report: dict[str, Any] = {
        "code": worker.returncode,
        "ended": ended,
        "left": left,
        "memory": {},
    }
    return _answers(answer) | {"keeper": report}


def _end(worker: subprocess.Popen[bytes]) -> int:
    """End a worker and what it started, if it still runs; return how many that were."""
    if worker.poll() is not None:
        return 0
    tree: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        tree = psutil.Process(worker.pid).children(recursive=True)
    worker.kill()
    for process in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    worker.wait()
    return len(tree)


def _answers(answer: IO[bytes]) -> dict[str, Any]:
    answer.seek(0)
    answers: dict[str, Any] = {}
    for line in answer.read().splitlines():
        with contextlib.suppress(ValueError):  # half a line: its writer was killed, or had no room
            answers |= json.loads(line)
    return answers
