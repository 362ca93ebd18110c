"""Pickle an order, and start its interpreter: through a keeper on Linux, alone elsewhere."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import cloudpickle
import psutil

from benchmarks import files
from benchmarks.errors import MethodError
from benchmarks.tasks import source

from .order import LENGTH_BYTES

if TYPE_CHECKING:
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

#: A keeper that is told to end its tree needs a fraction of this.
_KEEPER_SECONDS = 10


@dataclass(frozen=True)
class Prepared:
    """A pickled `Order` on its way, as for `Assignment`, and the interpreter that it is for."""

    payload: bytes
    weighed: bool
    #: Whether `HIDDEN_PACKAGE` cannot be imported.
    hidden: bool = True
    variables: dict[str, str] = field(default_factory=dict, hash=False)
    python: str = sys.executable

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of the worker, inherited by the processes it starts."""
        here = self.python == sys.executable
        return environment(hidden=self.hidden, here=here) | self.variables


def prepare(
    order: Order,
    *,
    hidden: bool | None = None,
    variables: dict[str, str] | None = None,
    python: str = sys.executable,
) -> Prepared:
    """Pickle an order, a package hidden unless it is named; raises MethodError if that fails."""
    try:
        payload: bytes = cloudpickle.dumps(order)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
        name = getattr(order.function, "__name__", repr(order.function))
        raise MethodError(
            f"{name} cannot be sent to a fresh interpreter: {error}. Locks, generators and "
            "connections cannot travel; make them inside the function."
        ) from error
    is_hidden = not source.uses(order.function, HIDDEN_PACKAGE) if hidden is None else hidden
    return Prepared(payload, order.batch.memory > 0, is_hidden, variables or {}, python)


def files_of(*given: Any) -> tuple[str, ...]:
    """Return those arguments that are paths of files."""
    paths = [os.fspath(value) for value in given if isinstance(value, (str, os.PathLike))]
    return tuple(path for path in paths if Path(path).is_file())


def environment(*, hidden: bool, here: bool = True) -> dict[str, str]:
    """Return the environment variables of a worker, with our packages ``here``, else its own."""
    # Methods of an importable module are sent by its name.
    # An empty entry of the path is the folder that a session works in.
    searched = [entry or str(Path.cwd()) for entry in sys.path] if here else []
    path = [*([str(files.HIDDEN)] if hidden else []), *searched]
    # With one heap for all threads, what any of them freed can be given back before a call.
    inherited = {name: value for name, value in os.environ.items() if name != SCHEDULER}
    return inherited | {"PYTHONPATH": os.pathsep.join(path), "MALLOC_ARENA_MAX": "1"}


def with_keeper(
    assignment: Assignment, prepared: Prepared, answer: IO[bytes], printed: IO[bytes]
) -> dict[str, Any]:
    """Carry out an order by a keeper, which ends the whole tree; return what it and worker say."""
    with subprocess.Popen(
        [prepared.python, "-P", "-m", "benchmarks.runner.keeper"],
        stdin=subprocess.PIPE,
        stdout=answer,
        stderr=printed,
        start_new_session=True,  # a Ctrl-C is for this process alone
        env=prepared.environment,
    ) as keeper:
        try:
            _send(keeper, pickle.dumps(assignment))
            keeper.wait()
        finally:
            _let_go(keeper)
    return _answers(answer)


def _send(keeper: subprocess.Popen[bytes], content: bytes) -> None:
    """Write an assignment, its length first, and leave the pipe open."""
    if keeper.stdin is None:
        raise AssertionError("stdin was asked to be a pipe")
    with contextlib.suppress(BrokenPipeError):  # it ended; its answer says why
        keeper.stdin.write(len(content).to_bytes(LENGTH_BYTES, "little") + content)
        keeper.stdin.flush()


def _let_go(keeper: subprocess.Popen[bytes]) -> None:
    """Close the pipe, by which the keeper knows that it is to end its tree."""
    if keeper.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            keeper.stdin.close()
    try:
        keeper.wait(_KEEPER_SECONDS)
    except subprocess.TimeoutExpired:
        keeper.kill()


def alone(
    assignment: Assignment, prepared: Prepared, answer: IO[bytes], printed: IO[bytes]
) -> dict[str, Any]:
    """Do without a keeper: no bound of memory, and what a killed worker had started stays."""
    ended, left = "", 0
    with (
        # Methods write files too; on Windows one may still be open.
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        subprocess.Popen(
            [prepared.python, "-P", "-m", "benchmarks.runner.worker"],
            stdin=subprocess.PIPE,
            stdout=answer,
            stderr=printed,
            env=prepared.environment | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch),
        ) as worker,
    ):
        try:
            worker.communicate(assignment.payload, assignment.most_seconds)
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
        answers |= json.loads(line)
    return answers
