"""Tell how far a measurement is: live on a terminal, one plain line a method in a log."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from .units import format_duration

if TYPE_CHECKING:
    from types import TracebackType

#: Sphinx-gallery replaces standard error while an example runs, and would swallow progress.
_stream: TextIO | None = None


def send_to(stream: TextIO | None) -> None:
    """Send progress to a stream from now on; None is standard error as it is at the time."""
    global _stream  # noqa: PLW0603
    _stream = stream


def say(line: str) -> None:
    """Print one line where progress goes."""
    print(line, file=_stream or sys.stderr, flush=True)


class Meter:
    """Progress over the runs of one task, given how many each method still needs."""

    def __init__(self, task: str, wanted: dict[str, int]) -> None:
        self._task = task
        self._wanted = dict(wanted)
        self._done = dict.fromkeys(wanted, 0)
        self._started = time.monotonic()
        console = Console(file=_stream or sys.stderr, force_jupyter=False)
        self._live = console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[times]}"),
            console=console,
            disable=not self._live,
            transient=True,
        )
        self._row = self._bar.add_task(task, total=sum(wanted.values()), times="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def starting(self, method: str) -> None:
        """Say which run begins."""
        run = f"run {self._done[method] + 1} of {self._wanted[method]}"
        self._bar.update(
            self._row, description=f"{self._task}: {method}, {run}", times=self._times()
        )

    def finished(self, method: str, runs: int, left: int, note: str) -> None:
        """Count runs, and those left; after the last of a method, print its line with a note."""
        self._done[method] += runs
        self._wanted[method] = self._done[method] + left
        total = sum(self._wanted.values())
        self._bar.update(self._row, advance=runs, total=total, times=self._times())
        if not left:
            self._bar.console.print(
                f"{self._task}.{method}: {note}", markup=False, highlight=False, soft_wrap=True
            )

    def _times(self) -> str:
        elapsed = time.monotonic() - self._started
        done, wanted = sum(self._done.values()), sum(self._wanted.values())
        text = format_duration(elapsed)
        if not done:
            return text
        return f"{text}, about {format_duration(elapsed / done * (wanted - done))} left"
