"""When a run is stopped."""

from __future__ import annotations

import os
from dataclasses import dataclass

from . import memory
from .units import read_bytes, read_seconds


@dataclass(frozen=True)
class Limits:
    """When a run is stopped.

    Attributes
    ----------
    seconds : float
        From the start of the worker, import and warm-up call included.
    memory_bytes : int or None
        Memory of its process tree; None for what is usable at the start. It is
        held in memory runs and in the warm-up call before them, which comes first: nothing
        watches memory in a time run.
    """

    seconds: float = 900.0
    memory_bytes: int | None = None

    @classmethod
    def chosen(cls, seconds: str | None = None, memory: str | None = None) -> Limits:
        """Make limits from what a user wrote, or else from the environment.

        Parameters
        ----------
        seconds, memory : str, optional
            For example ``"10min"`` and ``"8GiB"``; by default the environment variables
            ``TIME_LIMIT`` and ``MEMORY_LIMIT``, and else the defaults.

        Raises
        ------
        MethodError
            One of them is not understood.
        """
        seconds = seconds or os.environ.get("TIME_LIMIT")
        memory = memory or os.environ.get("MEMORY_LIMIT")
        return cls(
            read_seconds(seconds) if seconds else cls.seconds,
            read_bytes(memory) if memory else None,
        )

    def bytes_now(self) -> int:
        """Return the memory limit of a run that starts now."""
        return self.memory_bytes or memory.usable_bytes()
