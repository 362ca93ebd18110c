"""Our gauge beside the tools that readers know, and forked beside fresh interpreters."""

from __future__ import annotations

import functools
import hashlib
import math
import re
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmarks import progress
from benchmarks.errors import AbsentError, FigureError, MethodError
from benchmarks.gauge import peak
from benchmarks.gauge.readings import MemoryRun, TimeRun
from benchmarks.images.workspace import Workspace
from benchmarks.report.captions import caption, titled
from benchmarks.report.table import Table
from benchmarks.results.result import Result, Status
from benchmarks.runner import execute, known_calls, schedule, self_check
from benchmarks.runner.execute import Failure, Outcome
from benchmarks.runner.launch import prepare
from benchmarks.runner.order import FORK, FRESH, Batch, Order
from benchmarks.runner.rounds import Lot, metered
from benchmarks.runner.schedule import asked_again
from benchmarks.tasks.chapter import ASKED_ABOUT, FORKED_AND_FRESH
from benchmarks.tasks.source import source_sha256
from benchmarks.tasks.task import task_named
from benchmarks.units import MIB, format_bytes, format_ratio, format_seconds

from . import tool_scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FunctionType

    from matplotlib.figure import Figure

    from benchmarks.gauge.readings import Series
    from benchmarks.images.image import Image
    from benchmarks.results.store import Store
    from benchmarks.tasks.task import Method

TASK = "tools"
ORIGINS = "interpreters"
OURS = "ours"
_TIME = "%time"

#: All that are asked. A result is named ``tool: call``.
NAMES = (*tool_scripts.TOOLS, _TIME, OURS)

#: memory_profiler's %memit looks at the memory this often (its default interval).
MEMIT_SECONDS = 0.1

KNOWN = (
    known_calls.Known("block for a moment", known_calls.hold, (16, 0.0005), 16 * MIB),
    known_calls.Known("large block for a moment", known_calls.hold, (256, 0.005), 256 * MIB),
    known_calls.Known("spike in a computation", known_calls.spike_in_work, (64, 0.001), 64 * MIB),
    known_calls.Known("memory never touched", known_calls.untouched, (512,), 0),
    known_calls.Known(
        "two workers together", known_calls.two_workers, (256, 0.1), 512 * MIB, tree=True
    ),
    known_calls.Known(
        "two workers share memory", known_calls.two_workers_share, (256, 0.1), 256 * MIB, tree=True
    ),
    known_calls.handed("array handed to workers", 128),
)


#: Two workers that use the processor for so long each, s.
BUSY_SECONDS = 0.5


#: Runs of each kind that are forked, and in fresh interpreters; one of those takes seconds.
INTERPRETERS = 3


@dataclass(frozen=True)
class Peers:
    """What every tool said of every call.

    Attributes
    ----------
    known : dict
        By label of a known call: what it needs, and what each tool said, bytes.
    methods : dict
        By name of a method of the chapter: what each tool said, bytes; not a number if it failed.
    cpu_seconds : tuple of float
        Processor time of two busy workers: the truth, by ``%time``, by our clock.
    series : Series
        Memory over time of the first method, from our gauge.
    caption : str
        The file and the machine.
    remarks : tuple of str
        Why a tool was not asked, or what it failed on.
    """

    known: dict[str, tuple[float, dict[str, float]]]
    methods: dict[str, dict[str, float]]
    cpu_seconds: tuple[float, float, float]
    series: Series
    caption: str
    remarks: tuple[str, ...] = ()

    def errors(self) -> Table:
        """Return the table of the known calls: what each tool said, less the need."""
        rows = [
            (label, _mib(need), *(_mib(value - need) for value in said.values()))
            for label, (need, said) in self.known.items()
        ]
        return Table(("error of (MiB)", "needs", *self._asked), tuple(rows))

    def readings(self) -> Table:
        """Return the table of the chapter's methods: what each tool said."""
        rows = [
            (label, *(_mib(value) for value in said.values()))
            for label, said in self.methods.items()
        ]
        return Table(("peak of (MiB)", *self._asked), tuple(rows))

    @property
    def _asked(self) -> tuple[str, ...]:
        return tuple(next(iter(self.methods.values())))

    def __str__(self) -> str:
        truth, magic, own = map(format_seconds, self.cpu_seconds)
        cpu = f"Processor time of two workers that use {truth}: %time {magic}, our clock {own}."
        parts = (self.errors().text(), self.readings().text(), cpu, self.caption)
        return "\n\n".join([*parts, *self.remarks])

    def plot_samples(self) -> Figure:
        """Draw memory over time, and the moments at which %memit would have looked."""
        from benchmarks.report import memory_plots  # noqa: PLC0415 - matplotlib is slow to import

        title = f"Memory of {ASKED_ABOUT[0][1]}, and what %memit would see"
        return memory_plots.plot_looks(self.series, MEMIT_SECONDS, titled(title, self.caption))


def compare_tools() -> Peers:
    """Ask every tool about every call, unless that was done.

    Returns
    -------
    Peers

    Raises
    ------
    DataError
        The file for the chapter's methods is not fit to be measured on.
    GaugeError
        The memory gauge is wrong on this machine.
    MethodError
        A tool failed.
    StoreError
        Results cannot be read or written.
    """
    workspace = Workspace.ready()
    store = workspace.store
    self_check.ensure(store)
    methods = _methods(str(workspace.image.path))
    refused = refusals(store)
    said = {call.label: _said(store, call, refused) for call in (*KNOWN, *methods)}
    failed = (result for results in said.values() for result in results.values() if result.failed)
    return Peers(
        known={c.label: (c.peak_bytes, _peaks(said[c.label])) for c in KNOWN},
        methods={c.label: _peaks(said[c.label]) for c in methods},
        cpu_seconds=_cpu_seconds(store),
        series=said[methods[0].label][OURS].series,
        caption=f"{workspace.image.description} {store.provenance.cpu}.",
        remarks=(
            *(f"{tool} was not asked: {why}." for tool, why in refused.items()),
            *(f"{result.message}." for result in failed),
        ),
    )


def said_of(store: Store[Any], name: str) -> Result | None:
    """Return what a tool said of a call, or None if it was not asked, by both in one word.

    Such as ``cgroup_large_block_for_a_moment``, or ``ours_mean_over_time_mean_nibabel``.

    Raises
    ------
    AbsentError
        The tool cannot be asked here.
    FigureError
        There is no such tool or call.
    """
    for tool in (*tool_scripts.TOOLS, OURS):
        for call in (*KNOWN, *_methods()):
            if re.sub(r"\W+", "_", f"{tool}_{call.label}").strip("_") == name:
                found = store.fresh(TASK, _name(tool, call), _digest(call), local=True)
                if tool == tool_scripts.CGROUP and (found is None or found.failed):
                    raise AbsentError(found.message if found else f"No {tool} was asked")
                return found
    raise FigureError(f"There is no tool and no call that are named {name!r}.")


def _methods(*args: str) -> list[known_calls.Call]:
    """Return the methods of the chapter that tools are asked about, called with arguments."""
    return [
        known_calls.Call(f"{task}.{name}", task_named(task).method(name).function, args)
        for task, name in ASKED_ABOUT
    ]


def refusals(store: Store[Any]) -> dict[str, str]:
    """Return the tools that cannot be asked, and why."""
    if not store.is_reference:
        why = tool_scripts.cgroup_refusal()
    else:
        there = store.get(TASK, _name(tool_scripts.CGROUP, KNOWN[0]))
        why = "" if there else "the results that come with the project are without it"
    return {tool_scripts.CGROUP: why} if why else {}


def _mib(size_bytes: float) -> str:
    return "–" if math.isnan(size_bytes) else f"{size_bytes / MIB:.1f}"


def _peaks(said: dict[str, Result]) -> dict[str, float]:
    return {tool: math.nan if r.failed else r.peak_bytes.median for tool, r in said.items()}


def _said(
    store: Store[Any], call: known_calls.Call, refused: Mapping[str, str]
) -> dict[str, Result]:
    """Return what each tool said of the memory of a call, and what ours did."""

    def asked(tool: str) -> Outcome | Failure:
        try:
            said = round(tool_scripts.increment_bytes(tool, call))
        except MethodError as error:
            if tool != tool_scripts.CGROUP:
                raise
            # It may be the file: one that is kept in memory is never read.
            return Failure(Status.RAISED, str(error).rstrip("."))
        return Outcome((MemoryRun(said, 0, 0, said, said),))

    names = [tool for tool in tool_scripts.TOOLS if tool not in refused]
    tools = {tool: functools.partial(asked, tool) for tool in names}
    return _answers(store, call, Batch(memory=1), tools)


def _cpu_seconds(store: Store[Any]) -> tuple[float, float, float]:
    call = known_calls.Call(
        "two busy workers", known_calls.busy_workers, (BUSY_SECONDS,), tree=True
    )

    def asked() -> Outcome:
        return Outcome((TimeRun(0.0, tool_scripts.time_magic_cpu_seconds(call), 0.0),))

    said = _answers(store, call, Batch(time=1), {_TIME: asked})
    magic, own = (said[tool].cpu_seconds.median for tool in (_TIME, OURS))
    return 2 * BUSY_SECONDS, magic, own


def _answers(
    store: Store[Any],
    call: known_calls.Call,
    batch: Batch,
    tools: Mapping[str, Callable[[], Outcome | Failure]],
) -> dict[str, Result]:
    """Return each tool's answer, and ours; from the store if it is fresh."""
    lots = {}
    for tool in (*tools, OURS):
        ask = tools.get(tool, functools.partial(_ours, batch, call))
        name, digest = _name(tool, call), _digest(call)
        found = store.fresh(TASK, name, digest, local=True)
        again = found is None or found.failed or asked_again()
        if found is None or (again and not store.is_reference):
            found = Result(TASK, name, digest)
        lots[tool] = _lot(found, store, batch, ask)
    with progress.Meter(TASK, {lot.label: lot.runs_left for lot in lots.values()}) as meter:
        metered(list(lots.values()), meter)
    return {tool: lot.results[0] for tool, lot in lots.items()}


def _name(tool: str, call: known_calls.Call) -> str:
    return f"{tool}: {call.label}"


def _lot(
    found: Result, store: Store[Any], batch: Batch, ask: Callable[[], Outcome | Failure]
) -> Lot:
    def missing(results: tuple[Result, ...]) -> list[Batch]:
        (result,) = results
        return [] if result.failed or result.memory_runs or result.time_runs else [batch]

    return Lot(found.method, (found,), store, missing, lambda *_: [ask()])


def _ours(batch: Batch, call: known_calls.Call) -> Outcome:
    """Return what our own clock or gauge says of a call."""
    outcome = execute.carry_out(prepare(Order(call.function, (call.args,), batch)))
    if isinstance(outcome, Failure):
        raise MethodError(f"{peak.NAME} failed on {call.label!r}: {outcome.message}.")
    return outcome


def _digest(call: known_calls.Call) -> str:
    """Return the digest of all that decides what a tool says."""
    # A store is about one file, wherever that lies: its path decides nothing.
    args = [arg for arg in call.args if not isinstance(arg, str)]
    parts = [_code(), repr(args), source_sha256(cast("FunctionType", call.function))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@functools.cache
def _code() -> str:
    code = b"".join(
        Path(str(module.__file__)).read_bytes() for module in (tool_scripts, known_calls)
    )
    versions = [metadata.version(name) for name in ("memory_profiler", "ipython", "psutil")]
    return hashlib.sha256(code + repr(versions).encode()).hexdigest()


@dataclass(frozen=True)
class Interpreters:
    """Results of methods by kind of interpreter, the same calls in turns.

    Attributes
    ----------
    forked, fresh : dict
        By ``task.method``: results from forks of templates, and from fresh interpreters.
    caption : str
        The file and the machine.
    """

    forked: dict[str, Result]
    fresh: dict[str, Result]
    caption: str

    def table(self) -> Table:
        """Return the table: times and peaks (median), and how many times the fresh one's."""
        header = ("method", "time, forked", "fresh", "ratio", "peak, forked", "fresh")
        return Table(header, tuple(map(self._row, self.forked)))

    def _row(self, label: str) -> tuple[str, ...]:
        forked, fresh = self.forked[label], self.fresh[label]
        if failed := next((found for found in (forked, fresh) if found.failed), None):
            return (label, failed.message, *[""] * 4)
        times = [found.wall_seconds.median for found in (forked, fresh)]
        peaks = [found.peak_bytes.median for found in (forked, fresh)]
        ratio = format_ratio(times[0] / times[1])
        return (label, *map(format_seconds, times), ratio, *map(format_bytes, peaks))

    def __str__(self) -> str:
        return f"{self.table().text()}\n\n{self.caption}"


def compare_interpreters(
    methods: Sequence[tuple[str, str]] = FORKED_AND_FRESH, *, runs: int = INTERPRETERS
) -> Interpreters:
    """Measure methods in forks of templates and in fresh interpreters, unless that was done.

    Parameters
    ----------
    methods : sequence of (str, str)
        Names of tasks of the gallery, and of a method of each.
    runs : int
        Time runs, and memory runs, of each method in each kind of interpreter.

    Returns
    -------
    Interpreters

    Raises
    ------
    BenchmarkError
        The file is not fit, the gauge is wrong here, or results cannot be read or written.
    """
    workspace = Workspace.ready()
    self_check.ensure(workspace.store)
    store = workspace.at("short")  # the longer a call, the less would a difference show
    found = {f"{t}.{m}": task_named(t).method(m) for t, m in methods}
    lots = [
        _origin_lot(kind, label, method, store, runs)
        for label, method in found.items()
        for kind in (FORK, FRESH)
    ]
    with progress.Meter(ORIGINS, {lot.label: lot.runs_left for lot in lots}) as meter:
        metered(lots, meter)
    results = {lot.label: lot.results[0] for lot in lots}
    return Interpreters(
        {label: results[_origin_name(FORK, label)] for label in found},
        {label: results[_origin_name(FRESH, label)] for label in found},
        caption(store.data, store.provenance),
    )


def _origin_name(kind: str, label: str) -> str:
    return f"{kind}: {label}"


def _origin_lot(kind: str, label: str, method: Method, store: Store[Image], runs: int) -> Lot:
    name = _origin_name(kind, label)
    begun = store.fresh(ORIGINS, name, method.source_sha256)
    again = begun is None or begun.failed or asked_again()
    if begun is None or (again and not store.is_reference):
        begun = Result(ORIGINS, name, method.source_sha256)
    order = Order(method.function, ((str(store.data.path),),), Batch(1, 1))

    def missing(results: tuple[Result, ...]) -> list[Batch]:
        (result,) = results
        done = len(result.time_runs)
        if result.failed or store.is_reference:
            return []
        return [replace(order.batch, layout=n % schedule.LAYOUTS) for n in range(done, runs)]

    def carry_out(_: Any, batch: Batch) -> list[Outcome | Failure]:
        return [execute.carry_out(prepare(replace(order, batch=batch), fresh=kind == FRESH))]

    return Lot(name, (begun,), store, missing, carry_out)
