"""``%measure`` and ``%%measure`` in IPython: time, peak and kept, from new processes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cloudpickle
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class

from benchmarks.errors import BenchmarkError, MethodError
from benchmarks.report import result_tables
from benchmarks.runner.measure import measure
from benchmarks.runner.schedule import RUNS
from benchmarks.tasks import snippets
from benchmarks.units import format_bytes, format_range, format_seconds, read_count

if TYPE_CHECKING:
    from benchmarks.results.result import Result


@magics_class
class MeasureMagics(Magics):
    """The magics of this package, for ``%load_ext benchmarks``."""

    @line_cell_magic
    def measure(self, line: str, cell: str | None = None) -> Result | None:
        """Measure an expression, or a cell, in new processes.

        Usage: ``%measure [-r RUNS] [-o] expression``, or ``%%measure [-r RUNS] [-o]`` above the
        lines of a cell. ``-o`` returns the result. The code runs in other interpreters, so that
        this session stays as it is: a cell leaves no names behind.
        """
        options, rest = self.parse_options(line, "r:o", posix=False, strict=False)
        if cell is not None and rest.strip():
            raise UsageError(f"%%measure takes options alone; put {rest.strip()} below it.")
        session = self.shell.user_ns if self.shell else {}
        try:
            result = _measured(rest if cell is None else cell, session, options)
        except BenchmarkError as error:
            raise UsageError(str(error)) from error
        print(told(result))  # noqa: T201 - that is what a magic does
        return result if "o" in options else None


def _measured(source: str, session: dict[str, Any], options: dict[str, str]) -> Result:
    runs = read_count("-r ", options.get("r", str(RUNS)))
    source = source.strip()
    given = {name: session[name] for name in sorted(snippets.names(source) & session.keys())}
    try:
        result = measure(snippets.run, source, given, runs=runs)
    except MethodError as error:
        for name, value in given.items():
            _refuse_unless_it_travels(name, value, error)
        raise
    if result.failed:
        raise MethodError(f"The code {result.message.rstrip('.')}.")
    return result


def _refuse_unless_it_travels(name: str, value: object, error: MethodError) -> None:
    try:
        cloudpickle.dumps(value)
    except Exception as reason:  # noqa: BLE001 - whatever a class does when it is pickled
        raise MethodError(
            f"{name}, of type {type(value).__name__}, cannot be sent to another process: "
            f"{reason}. Make it inside the code that is measured, or in a function that it calls."
        ) from error


def told(result: Result) -> str:
    """Return time, peak, kept and all memory of a result, a line each."""
    time = result.wall_seconds
    spread = format_range(format_seconds, time.low, time.high)
    runs = f"{len(time.values)} run{'s' if len(time.values) > 1 else ''}"
    lines = [
        f"time  {format_seconds(time.median)} ({spread}, {runs})",
        f"peak  {format_bytes(result.peak_bytes.median)}",
        f"kept  {format_bytes(result.kept_bytes.median)}",
        f"all   {format_bytes(result.whole_bytes.median)}, interpreters included",
    ]
    remarks = result_tables.remarks([replace(result, method="the code")])
    return "\n".join([*lines, *remarks])
