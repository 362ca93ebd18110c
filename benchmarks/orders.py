"""What a worker is told: which function, how many runs of which kind, and what it may import."""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from . import folders, snippets, sources
from .errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .runs import Cache
    from .tasks import Method

#: What a method gets only if it names it: nibabel uses it wherever it is installed.
HIDDEN_PACKAGE = "indexed_gzip"

#: glibc gives blocks back at once that are larger than 32 MiB, and others if it is told to
#: (mallopt(3), M_MMAP_THRESHOLD). So the memory of a small file is to that of a large one as
#: their sizes are.
ALL_GIVEN_BACK = {"MALLOC_MMAP_THRESHOLD_": str(64 * 1024)}


#: Dask's variable with the address of a scheduler. A method gets it only if a user asks for that:
#: else it would be measured on other machines without anybody noticing.
SCHEDULER = "DASK_SCHEDULER_ADDRESS"


#: What a worker reads of an order, apart from function, calls and runs.
_USUAL: dict[str, Any] = {
    "kwargs": {},
    "cold_paths": [],
    "reduced": False,
    "frozen": False,
    "copies": 0,
}


@dataclass(frozen=True)
class Batch:
    """Runs that follow one another in one interpreter.

    Attributes
    ----------
    time, memory : int
        How many of each kind; those under the clock come first.
    """

    time: int = 0
    memory: int = 0

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return self.time + self.memory


@dataclass(frozen=True)
class Order:
    """The runs to carry out in one interpreter.

    Attributes
    ----------
    weighed : bool
        Whether some of them are under the memory gauge.
    payload : bytes
        For the worker.
    hidden : bool
        Whether `HIDDEN_PACKAGE` cannot be imported.
    variables : dict of str
        More environment variables of the worker.
    python : str
        The interpreter of the worker.
    """

    weighed: bool
    payload: bytes
    hidden: bool = True
    variables: dict[str, str] = field(default_factory=dict, hash=False)
    python: str = sys.executable

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of the worker, inherited by the processes it starts."""
        here = self.python == sys.executable
        return environment(hidden=self.hidden, here=here) | self.variables


def order(
    batch: Batch,
    function: Callable[..., Any],
    /,
    *args: Any,
    cache: Cache = "warm",
    reduced: bool = True,
    **kwargs: Any,
) -> Order:
    """Pickle what a worker is to do.

    Parameters
    ----------
    batch : Batch
        Which runs.
    function, *args, **kwargs
        What is called.
    cache : {"warm", "cold"}
        Whether the files among the arguments are dropped from the page cache before each run.
    reduced : bool
        Whether a memory run is to say what the function returned.

    Raises
    ------
    MethodError
        Something of it cannot be pickled.
    """
    cold = _files([*args, *kwargs.values()]) if cache == "cold" else []
    return _order(
        batch, function, [args], {"kwargs": kwargs, "cold_paths": cold, "reduced": reduced}
    )


def on_copies(  # noqa: PLR0913 - all that decides what is measured
    batch: Batch,
    function: Callable[..., Any],
    path: str,
    copies: int,
    *,
    cache: Cache = "warm",
    reduced: bool = True,
) -> Order:
    """Pickle what a worker is to do with copies of a file, which it makes.

    Parameters
    ----------
    batch, cache, reduced
        As for `order`.
    function : callable
        Takes the paths of the copies.
    path : str
        The file.
    copies : int
        How many.

    Raises
    ------
    MethodError
        The function cannot be pickled.
    """
    cold = [path] if cache == "cold" else []
    more = {"cold_paths": cold, "reduced": reduced, "copies": copies}
    return _order(batch, function, [(path,)], more)


def sweep(batch: Batch, function: Callable[..., Any], paths: Sequence[str]) -> Order:
    """Pickle what a worker is to do with many files, one after the other.

    Parameters
    ----------
    batch : Batch
        The runs on each file: of one kind alone.
    function : callable
        Takes the path of a file.
    paths : sequence of str
        The files.

    Raises
    ------
    MethodError
        The function cannot be pickled.
    """
    given = _order(batch, function, [(path,) for path in paths], {"frozen": True})
    # What names indexed_gzip has large files, since its buffers grow in steps.
    at_once = batch.memory and given.hidden
    return replace(given, variables=ALL_GIVEN_BACK) if at_once else given


def elsewhere(
    batch: Batch, methods: Sequence[Method], example: Path, fmri_path: str, python: Path
) -> Order:
    """Pickle what a worker of another environment is to do: some methods, one after the other.

    It reads the example itself: what a function refers to may lie elsewhere in another release.

    Parameters
    ----------
    batch : Batch
        The runs of each method.
    methods : sequence of Method
        Of the example; those that name `HIDDEN_PACKAGE`, or those that do not.
    example : Path
        The example file.
    fmri_path : str
        The file.
    python : Path
        The interpreter of that environment.
    """
    calls = [(method.name, fmri_path) for method in methods]
    given = _order(batch, snippets.Named(str(example)), calls, {"reduced": True})
    return replace(given, hidden=is_hidden(methods[0]), python=str(python))


def is_hidden(method: Method) -> bool:
    """Tell whether `HIDDEN_PACKAGE` is kept from a method: whether it does not name it."""
    return not sources.uses(method.function, HIDDEN_PACKAGE)


def _order(
    batch: Batch,
    function: Callable[..., Any],
    calls: Sequence[tuple[Any, ...]],
    more: dict[str, Any],
) -> Order:
    """Pickle what a worker reads: `_USUAL`, but for what is given."""
    content = _USUAL | {
        "function": function,
        "calls": calls,
        "time": batch.time,
        "memory": batch.memory,
        **more,
    }
    hidden = not sources.uses(function, HIDDEN_PACKAGE)
    return Order(batch.memory > 0, _pickled(function, content), hidden)


def _files(given: list[Any]) -> list[str]:
    paths = [os.fspath(value) for value in given if isinstance(value, (str, os.PathLike))]
    return [path for path in paths if Path(path).is_file()]


def _pickled(function: Callable[..., Any], content: dict[str, Any]) -> bytes:
    try:
        pickled: bytes = cloudpickle.dumps(content)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError) as error:
        name = getattr(function, "__name__", repr(function))
        raise MethodError(
            f"{name} cannot be sent to a fresh interpreter: {error}. Locks, generators and "
            "connections cannot travel; make them inside the function."
        ) from error
    return pickled


def environment(*, hidden: bool, here: bool = True) -> dict[str, str]:
    """Return the environment variables of a worker, inherited by the processes it starts.

    Parameters
    ----------
    hidden : bool
        Whether `HIDDEN_PACKAGE` cannot be imported.
    here : bool
        Whether the worker has the packages of this interpreter; else it has those of its own.
    """
    # Methods of an importable module are sent by its name.
    # An empty entry of the path is the folder that a session works in.
    searched = [entry or str(Path.cwd()) for entry in sys.path] if here else []
    path = [*([str(folders.HIDDEN)] if hidden else []), *searched]
    # With one heap for all threads, what any of them freed can be given back before a call.
    inherited = {name: value for name, value in os.environ.items() if name != SCHEDULER}
    return inherited | {"PYTHONPATH": os.pathsep.join(path), "MALLOC_ARENA_MAX": "1"}
