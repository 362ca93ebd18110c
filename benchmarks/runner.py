"""Start workers and gather their runs."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any, Literal

import cloudpickle

from . import provenance
from .errors import MethodError
from .results import MemoryRun, Result, Returned, TimeRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Kind = Literal["time", "memory"]

#: Peaks repeat to a fraction of a MiB, so that more memory runs than this say nothing new.
MEMORY_RUNS = 3

#: Nothing measured here takes near as long on data that fit into memory.
TIME_LIMIT_SECONDS = 900.0

_STDERR_LINES = 3


@dataclass(frozen=True)
class Failure:
    """Why a run gave no figures: a word for tables, and a sentence."""

    status: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """What one run gave."""

    run: TimeRun | MemoryRun
    returned: Returned | None = None


def measure(
    function: Callable[..., Any],
    /,
    *args: Any,
    runs: int = 5,
    **kwargs: Any,
) -> Result:
    """Measure one call of any function, each run in a fresh interpreter.

    Parameters
    ----------
    function : callable
        What is measured. It, its arguments and what it refers to travel by cloudpickle.
    *args, **kwargs
        Its arguments.
    runs : int
        Number of time runs; of memory runs there are as many, but at most `MEMORY_RUNS`.

    Returns
    -------
    Result
        With another status than ``"ok"`` where the function failed; nothing is stored.

    Raises
    ------
    MethodError
        The function or an argument cannot be sent to another interpreter.
    ValueError
        ``runs`` is less than 1.
    """
    if runs < 1:
        raise ValueError(f"runs is {runs}; there must be at least 1")
    result = Result(task="", method=getattr(function, "__name__", repr(function)))
    kinds: tuple[Kind, ...] = ("memory", "time")
    payloads = {kind: order(kind, function, *args, **kwargs) for kind in kinds}
    for kind in missing(result, runs):
        result = extended(result, run_once(payloads[kind]))
        if result.status != "ok":
            break
    return result


def missing(result: Result, runs: int) -> list[Kind]:
    """Return the kinds of the runs that a result still needs, in their order.

    Memory first: it also tells what the method returns, and so whether methods agree.
    """
    memory = max(0, min(runs, MEMORY_RUNS) - len(result.memory_runs))
    time = max(0, runs - len(result.time_runs))
    rounds = max(memory, time)
    wanted: tuple[tuple[Kind, int], ...] = (("memory", memory), ("time", time))
    return [kind for index in range(rounds) for kind, count in wanted if index < count]


def extended(result: Result, outcome: Outcome | Failure) -> Result:
    """Return a result with one more run, or with the reason why there is none."""
    result = replace(
        result,
        measured_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        commit=provenance.commit(),
    )
    if isinstance(outcome, Failure):
        # Runs that went well before are no figures of a method that then failed.
        return replace(
            result,
            status=outcome.status,
            message=outcome.message,
            time_runs=(),
            memory_runs=(),
        )
    if isinstance(outcome.run, TimeRun):
        return replace(result, time_runs=(*result.time_runs, outcome.run))
    memory_runs = (*result.memory_runs, outcome.run)
    return replace(result, memory_runs=memory_runs, returned=outcome.returned)


def order(kind: Kind, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> bytes:
    """Pickle what a worker is to do.

    Raises
    ------
    MethodError
        Something of it cannot be pickled.
    """
    try:
        payload: bytes = cloudpickle.dumps((kind, function, args, kwargs))
    except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
        name = getattr(function, "__name__", repr(function))
        raise MethodError(
            f"{name} cannot be sent to a fresh interpreter: {error}. Open files, locks and "
            "connections cannot travel; make them inside the function."
        ) from error
    return payload


def run_once(payload: bytes, time_limit: float = TIME_LIMIT_SECONDS) -> Outcome | Failure:
    """Carry out one order in a fresh interpreter.

    The order, the answer and the error output are in files without a name, and the worker
    hangs on a pipe: if this process is killed, neither a file nor a process stays.

    Parameters
    ----------
    payload : bytes
        From `order`.
    time_limit : float
        Seconds after which the run is stopped, its import and warm-up included.
    """
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as answer,
        tempfile.TemporaryFile() as printed,
        _lifeline() as lifeline,
    ):
        given.write(payload)
        given.seek(0)
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmarks.worker", str(lifeline)],
            stdin=given,
            stdout=answer,
            stderr=printed,
            pass_fds=(lifeline,),
            start_new_session=True,
            # Methods of an importable module are sent by its name.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        try:
            code = worker.wait(time_limit)
        except subprocess.TimeoutExpired:
            return Failure("stopped", f"stopped after its time limit of {time_limit:g} s")
        finally:
            _end(worker)
        return _understood(code, answer, printed)


def _understood(code: int, answer: IO[bytes], printed: IO[bytes]) -> Outcome | Failure:
    answer.seek(0)
    content = json.loads(answer.read() or b"{}")
    if error := content.get("error"):
        return Failure("raised", f"raised {error}")
    if code != 0 or not content:
        printed.seek(0)
        lines = printed.read().decode(errors="replace").splitlines()[-_STDERR_LINES:]
        ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return Failure("crashed", " / ".join([f"its interpreter {ended}", *lines]))
    if "wall_seconds" in content["run"]:
        return Outcome(TimeRun(**content["run"]))
    lists = ("shape", "sums", "sample", "affine")
    returned = content["returned"]
    returned |= {name: tuple(returned[name]) for name in lists}
    return Outcome(MemoryRun(**content["run"]), Returned(**returned))


def _end(worker: subprocess.Popen[bytes]) -> None:
    """End the worker's whole session: whatever it started and left running too."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


@contextlib.contextmanager
def _lifeline() -> Iterator[int]:
    """Give the end of a pipe that hangs up when this process ends, in whatever way."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)
