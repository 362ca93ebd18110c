"""Import once, and fork a run for each order: what `keeper` starts as a template."""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import socket
import sys
import tempfile
import threading
import warnings
from typing import TYPE_CHECKING

from . import worker
from .order import FORK, FRESH

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Descriptors that come with an order: of the file it is pickled in, where the answer goes and
#: where what is printed goes; the lifeline, and the two pipes of `worker.Line`.
DESCRIPTORS = 6

_MESSAGE_BYTES = 16384


def main() -> None:
    """Import what is named, then be told orders over a socket until it closes."""
    keeper = socket.socket(fileno=int(sys.argv[1]))
    keeper.set_inheritable(False)
    forks = sys.argv[2] == FORK and _imported(sys.argv[3:])
    keeper.send((FORK if forks else FRESH).encode())
    while order := _next_order(keeper):
        pid = _forked() if forks else 0
        if not pid:
            keeper.close()
            _carry_out(*order)
            if forks:
                _end()
            return
        for descriptor in order[1]:
            os.close(descriptor)
        keeper.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        keeper.send(str(os.waitstatus_to_exitcode(status)).encode())


def _imported(names: Sequence[str]) -> bool:
    """Import packages; tell whether this process can be forked then."""
    for name in names:
        # Whatever is wrong with a package, the run that needs it meets again and reports.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # no run looks through what was imported, or copies its pages by doing so
    # A thread does not survive a fork, but a lock that it holds does.
    return threading.active_count() == 1


def _next_order(keeper: socket.socket) -> tuple[list[str], Sequence[int]] | None:
    """Wait for the folders and descriptors of the next order; None if there will be none."""
    message, descriptors, _, _ = socket.recv_fds(keeper, _MESSAGE_BYTES, DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)  # noqa: FBT003
    return (json.loads(message), descriptors) if message else None


def _forked() -> int:
    with warnings.catch_warnings():
        # Python counts the threads of OpenBLAS too, which ends and restarts them itself.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _carry_out(folders: Sequence[str], descriptors: Sequence[int]) -> None:
    """Be the run: what a fresh interpreter has of its own is made anew, then the order follows."""
    given, answer, printed, lifeline, from_keeper, to_keeper = descriptors
    os.setsid()
    worker.die_with_parent(lifeline)
    for stream in (1, 2):
        os.dup2(printed, stream)
    os.close(printed)
    os.environ["TMPDIR"], os.environ["JOBLIB_TEMP_FOLDER"] = folders
    tempfile.tempdir = None  # found once, it would be the template's
    if random := sys.modules.get("numpy.random"):
        random.seed()  # Python's own generator is seeded by every fork
    with os.fdopen(given, "rb") as file:
        worker.answer(file, answer, worker.Line(from_keeper, to_keeper))


def _end() -> None:
    """End as forks of multiprocessing do: taking all modules apart takes 0.1 s with nilearn."""
    threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 - it waits for threads
    atexit._run_exitfuncs()  # noqa: SLF001 - ends workers and removes files
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
