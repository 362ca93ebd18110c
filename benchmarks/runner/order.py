"""What runner, keeper and worker tell each other: plain records, the same on both sides."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# A worker imports this before it measures: nothing large may be imported here.


#: What a worker tells its keeper, a letter each: time runs begin; a call that is weighed begins,
#: and ends; what it returned is still held. And the answer, that the keeper has done its part.
TIME, BEGIN, END, KEPT, GO = b"T", b"B", b"E", b"K", b"G"

#: Whether a run is forked from a template, or is a fresh interpreter.
FORK, FRESH = "fork", "fresh"


def command(python: str, module: str) -> list[str]:
    """Return the command that runs a module of ours, whatever lies in the working folder."""
    if sys.version_info >= (3, 11):
        return [python, "-P", "-m", module]
    # Python 3.10 knows no -P: it puts the working folder first, which is taken out again.
    running = f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    return [python, "-c", f"import sys; sys.path.remove(''); import runpy; {running}"]


@dataclass(frozen=True)
class Batch:
    """Runs in one interpreter, so many of each kind; those under the clock come first."""

    time: int = 0
    memory: int = 0
    #: Which of several templates the interpreter is forked from: each lays out memory anew.
    layout: int = 0

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return self.time + self.memory


@dataclass(frozen=True)
class Order:
    """What a worker is to carry out."""

    #: What is called.
    function: Callable[..., Any]
    #: The arguments of each call. All runs of one come before those of the next.
    calls: tuple[tuple[Any, ...], ...]
    #: The runs of each call.
    batch: Batch
    #: Arguments of every call, by name.
    kwargs: dict[str, Any] = field(default_factory=dict)
    #: Files that are dropped from the page cache before each run.
    cold_paths: tuple[str, ...] = ()
    #: Whether worker processes that are left of an earlier call are ended before each run.
    cold_workers: bool = False
    #: Whether each call is made once before it is measured, or the first alone, as for one method
    #: on one file after the other.
    warm_each: bool = True
    #: How many copies of the file are made; the one call is then given their paths.
    copies: int = 0
    #: Whether the last memory run of each call is to say what was returned.
    reduced: bool = False

    @property
    def is_cold(self) -> bool:
        """Whether a call finds something that the next one would not find again."""
        return self.cold_workers or bool(self.cold_paths)


@dataclass(frozen=True)
class Origin:
    """The interpreter that a run is forked from: all that makes one differ from another."""

    python: str
    #: What is imported before the fork, so that no run has to.
    imports: tuple[str, ...]
    #: Environment variables, as pairs.
    environment: tuple[tuple[str, str], ...]
    #: The working folder.
    folder: str
    #: See `Batch`.
    layout: int = 0


@dataclass(frozen=True)
class Assignment:
    """What a keeper is given: where a run comes from, and what it is held to."""

    origin: Origin
    #: Whether the run is an interpreter that was started for it alone, and imports by itself.
    fresh: bool
    #: Whether there are runs under the memory gauge.
    weighed: bool
    #: When the run is stopped.
    most_seconds: float
    #: At how much memory its process tree is stopped.
    most_bytes: int
    #: Where folders of temporary files are made.
    temporary: str
