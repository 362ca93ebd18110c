"""What runner, keeper and worker tell each other: plain records, the same on both sides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# A worker imports this before it measures: nothing large may be imported here.


@dataclass(frozen=True)
class Batch:
    """Runs that follow one another in one interpreter, so many of each kind.

    Those under the clock come before those under the memory gauge.
    """

    time: int = 0
    memory: int = 0

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return self.time + self.memory


@dataclass(frozen=True)
class Order:
    """What a worker is to carry out.

    Attributes
    ----------
    function : callable
        What is called.
    calls : tuple of tuples
        The arguments of each call. All runs of one come before those of the next.
    batch : Batch
        The runs of each call.
    kwargs : dict
        Arguments of every call, by name.
    cold_paths : tuple of str
        Files that are dropped from the page cache before each run.
    copies : int
        How many copies of the file are made; the one call is then given their paths.
    reduced : bool
        Whether the last memory run of each call is to say what was returned.
    frozen : bool
        Whether what was imported is left out of garbage collection.
    """

    function: Callable[..., Any]
    calls: tuple[tuple[Any, ...], ...]
    batch: Batch
    kwargs: dict[str, Any] = field(default_factory=dict)
    cold_paths: tuple[str, ...] = ()
    copies: int = 0
    reduced: bool = False
    frozen: bool = False


@dataclass(frozen=True)
class Assignment:
    """What a keeper is given: an order for its worker, and what that is held to.

    Attributes
    ----------
    payload : bytes
        The pickled `Order`.
    weighed : bool
        Whether there are runs under the memory gauge.
    most_seconds : float
        When the worker is stopped.
    most_bytes : int
        At how much memory its process tree is stopped.
    """

    payload: bytes
    weighed: bool
    most_seconds: float
    most_bytes: int
