"""Tell how far all measuring is: live on a terminal, one plain line a method in a log.

What is to be measured is announced by `expect`, with a guess of how long it takes. A `Meter` is
opened for the methods of one task at a time, and counts on. What it is not told of before is added
when it is opened.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from .units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

#: What is expected of a run that nothing is known of, s.
RUN_SECONDS = 1.0

#: So many seconds have to be measured until they count as much as what was expected. A first
#: import, or a method that is unlike the others, does not double what is left.
TRUSTED_SECONDS = 60.0

#: Sphinx-gallery replaces standard error while an example runs, and would swallow progress.
_stream: TextIO | None = None


def send_to(stream: TextIO | None) -> None:
    """Send progress to a stream from now on; None is standard error as it is at the time."""
    global _stream  # noqa: PLW0603
    _stream = stream


def say(line: str) -> None:
    """Print one line where progress goes."""
    print(line, file=_stream or sys.stderr, flush=True)


@dataclass
class Course:
    """All that this process measures: what is left, and how long the rest took."""

    #: By the name of a method, ``task.method`` or ``task@form.method``: seconds it may take.
    left: dict[str, float] = field(default_factory=dict)
    done: int = 0
    #: What was expected of the runs so far, and what they took, s.
    expected_seconds: float = 0.0
    seconds: float = 0.0
    #: The tasks that were taken up.
    begun: set[str] = field(default_factory=set)

    @property
    def total(self) -> int:
        """How many methods there are."""
        return self.done + len(self.left)

    def place(self, number: int) -> str:
        """Write which method of all it is."""
        return f"method {number} of {self.total}"

    def left_text(self) -> str:
        """Write how long the rest will take, by how right was what was expected so far."""
        ratio = (self.seconds + TRUSTED_SECONDS) / (self.expected_seconds + TRUSTED_SECONDS)
        return f"about {format_duration(sum(self.left.values()) * ratio)} left"

    def begin(self, task: str, wanted: Mapping[str, int]) -> None:
        """Take up a task: what is left of those before was not needed after all."""
        task_name = _task_of(task)
        passed = [name for name in self.left if _task_of(name) in self.begun - {task_name}]
        for name in passed:
            del self.left[name]
        self.begun.add(task_name)
        for method, runs in wanted.items():
            if runs:
                self.left.setdefault(f"{task}.{method}", runs * RUN_SECONDS)

    def count(self, name: str, seconds: float, runs: int, left: int) -> None:
        """Count the runs of a method that took so long, and those left."""
        expected = self.left.pop(name, runs * RUN_SECONDS)
        share = expected * runs / (runs + left)
        self.seconds += seconds
        self.expected_seconds += share
        if left:
            self.left[name] = expected - share
        else:
            self.done += 1


_course = Course()


def expect(seconds: Mapping[str, float]) -> None:
    """Announce what is to be measured: how long each method may take, by its name."""
    _course.left |= seconds
    if seconds:
        say(f"{_clock()} {len(_course.left)} methods to measure, {_course.left_text()}.")


def is_told(task: str) -> bool:
    """Tell whether all that there is to know of a task was announced: by it, or with others."""
    return bool(_course.left) or task in _course.begun


def _task_of(name: str) -> str:
    return name.partition(".")[0].partition("@")[0]


def _clock() -> str:
    return time.strftime("%H:%M:%S")


class Meter:
    """Progress over one task, ``task`` or ``task@form``: how many runs each method needs."""

    def __init__(self, task: str, wanted: Mapping[str, int]) -> None:
        self._task = task
        self._wanted = dict(wanted)
        self._done = dict.fromkeys(wanted, 0)
        _course.begin(task, wanted)
        console = Console(file=_stream or sys.stderr, force_jupyter=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[left]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
            refresh_per_second=1,  # what is measured is not to be disturbed
        )
        self._row = self._bar.add_task(task, total=None, left="")
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._bar.disable:  # releases of rich before 15 write an empty line all the same
            self._bar.stop()

    def starting(self, method: str) -> None:
        """Say which run begins."""
        self._started = time.monotonic()
        run = f"run {self._done[method] + 1} of {self._wanted[method]}"
        self._bar.update(
            self._row,
            description=f"{_course.place(_course.done + 1)}: {self._task}.{method}, {run}",
            completed=_course.done,
            total=_course.total,
            left=_course.left_text(),
        )

    def finished(self, method: str, runs: int, left: int, note: str) -> None:
        """Count runs, and those left; after the last of a method, print its line with a note."""
        self._done[method] += runs
        self._wanted[method] = self._done[method] + left
        name = f"{self._task}.{method}"
        _course.count(name, time.monotonic() - self._started, runs, left)
        if not left:
            place = f"{_course.place(_course.done)}, {_course.left_text()}"
            line = f"{_clock()} {name}: {note} ({place})"
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
