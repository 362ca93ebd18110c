"""Start one run: through a keeper that watches it on Linux, alone elsewhere."""

from __future__ import annotations

import contextlib
import json
import pickle
import subprocess
import tempfile
from typing import IO, Any

import psutil

_LENGTH_BYTES = 8

#: A keeper that is told to end its tree needs a fraction of this.
_KEEPER_SECONDS = 10


def with_keeper(
    order: dict[str, Any],
    python: str,
    environment: dict[str, str],
    answer: IO[bytes],
    printed: IO[bytes],
) -> dict[str, Any]:
    """Carry out an order through a keeper, which ends the whole tree in every case.

    Parameters
    ----------
    order : dict
        Fields of `benchmarks.keeper.Order`.
    python : str
        The interpreter.
    environment : dict
        Environment variables of the worker.
    answer, printed : file
        For standard output and standard error of keeper and worker.

    Returns
    -------
    dict
        What the worker (``"worker"``) and the keeper (``"keeper"``) answered.
    """
    with subprocess.Popen(
        [python, "-P", "-m", "benchmarks.keeper"],
        stdin=subprocess.PIPE,
        stdout=answer,
        stderr=printed,
        start_new_session=True,  # a Ctrl-C is for this process alone
        env=environment,
    ) as keeper:
        try:
            _send(keeper, pickle.dumps(order))
            keeper.wait()
        finally:
            _let_go(keeper)
    return _answers(answer)


def _send(keeper: subprocess.Popen[bytes], content: bytes) -> None:
    """Write an order, its length first, and leave the pipe open."""
    if keeper.stdin is None:
        raise AssertionError("stdin was asked to be a pipe")
    with contextlib.suppress(BrokenPipeError):  # it ended; its answer says why
        keeper.stdin.write(len(content).to_bytes(_LENGTH_BYTES, "little") + content)
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
    order: dict[str, Any],
    python: str,
    environment: dict[str, str],
    answer: IO[bytes],
    printed: IO[bytes],
) -> dict[str, Any]:
    """Carry out an order without a keeper: macOS, Windows, some sandboxes.

    The memory limit is not held here, and what a killed process had started stays.
    Parameters and return value are those of `with_keeper`.
    """
    ended, left = "", 0
    with (
        # Methods write files too; on Windows one may still be open.
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        subprocess.Popen(
            [python, "-P", "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=answer,
            stderr=printed,
            env=environment | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch),
        ) as worker,
    ):
        try:
            worker.communicate(order["payload"], order["time_limit"])
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
    """End a worker and what it started, if it still runs."""
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
