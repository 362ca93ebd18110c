"""Our gauge beside the tools that readers know, on known calls and on the chapter's methods."""

from __future__ import annotations

import functools
import hashlib
import os
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, cast

from . import (
    comparison,
    known,
    lookup,
    opening,
    progress,
    runner,
    selfcheck,
    sources,
    tools,
)
from .cells import Table
from .orders import Batch
from .results import Result
from .runs import MemoryRun, TimeRun
from .units import MIB, format_seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType

    from matplotlib.figure import Figure

    from .runs import Series
    from .store import Store

TASK = "tools"
OURS = "ours"

#: Chapter's methods that the tools are tried on too: much memory at once, and little.
METHODS = (("mean_over_time", "mean_nibabel"), ("mean_over_time", "mean_volume_by_volume"))

#: memory_profiler's %memit looks at the memory this often (its default interval).
MEMIT_SECONDS = 0.1

KNOWN = (
    known.Known("block for a moment", known.hold, (16, 0.0005), 16 * MIB),
    known.Known("large block for a moment", known.hold, (256, 0.005), 256 * MIB),
    known.Known("spike in a computation", known.spike_in_work, (64, 0.001), 64 * MIB),
    known.Known("memory never touched", known.untouched, (512,), 0),
    known.Known("two workers together", known.two_workers, (256, 0.1), 512 * MIB, tree=True),
    known.Known(
        "two workers share memory", known.two_workers_share, (256, 0.1), 256 * MIB, tree=True
    ),
    known.handed("array handed to workers", 128),
)


#: Two workers that use the processor for so long each, s.
BUSY_SECONDS = 0.5


@dataclass(frozen=True)
class Peers:
    """What every tool said of every call.

    Attributes
    ----------
    known : dict
        By label of a known call: what it needs, and what each tool said, bytes.
    methods : dict
        By name of a method of the chapter: what each tool said, bytes.
    cpu_seconds : tuple of float
        Processor time of two busy workers: the truth, by ``%time``, by our clock.
    series : Series
        Memory over time of the first method, from our gauge.
    caption : str
        The file and the machine.
    """

    known: dict[str, tuple[float, dict[str, float]]]
    methods: dict[str, dict[str, float]]
    cpu_seconds: tuple[float, float, float]
    series: Series
    caption: str

    def errors(self) -> Table:
        """Return the table of the known calls: what each tool said, less the need."""
        rows = [
            (label, _mib(need), *(_mib(value - need) for value in said.values()))
            for label, (need, said) in self.known.items()
        ]
        return Table(("error of (MiB)", "needs", *tools.TOOLS, OURS), tuple(rows))

    def readings(self) -> Table:
        """Return the table of the chapter's methods: what each tool said."""
        rows = [
            (label, *(_mib(value) for value in said.values()))
            for label, said in self.methods.items()
        ]
        return Table(("peak of (MiB)", *tools.TOOLS, OURS), tuple(rows))

    def __str__(self) -> str:
        truth, magic, own = map(format_seconds, self.cpu_seconds)
        cpu = f"Processor time of two workers that use {truth}: %time {magic}, our clock {own}."
        parts = (self.errors().text(), self.readings().text(), cpu, self.caption)
        return "\n\n".join(parts)

    def plot_samples(self) -> Figure:
        """Draw memory over time, and the moments at which %memit would have looked."""
        from . import series  # noqa: PLC0415 - matplotlib is slow to import

        title = f"Memory during {METHODS[0][1]}, and what %memit would have seen of it"
        title = comparison.titled(title, self.caption)
        return series.plot_looks(self.series, MEMIT_SECONDS, title)


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
    file, store = opening.ready()
    selfcheck.ensure(store, file)
    known_said = {call.label: _all_said(store, call) for call in KNOWN}
    methods_said = {}
    for task, name in METHODS:
        method = lookup.task_named(task).method(name)
        call = known.Call(f"{task}.{name}", method.function, (str(file.path),))
        methods_said[call.label] = _all_said(store, call)
    first = next(iter(methods_said.values()))[OURS]
    return Peers(
        known={c.label: (c.peak_bytes, _peaks(known_said[c.label])) for c in KNOWN},
        methods={label: _peaks(said) for label, said in methods_said.items()},
        cpu_seconds=_cpu_seconds(store),
        series=first.series,
        caption=f"{comparison.described(file.data)} {store.provenance.cpu}.",
    )


def _mib(size_bytes: float) -> str:
    return f"{size_bytes / MIB:.1f}"


def _peaks(said: dict[str, Result]) -> dict[str, float]:
    return {tool: result.peak_bytes.median for tool, result in said.items()}


def _all_said(store: Store, call: known.Call) -> dict[str, Result]:
    return {tool: _said(store, tool, call) for tool in (*tools.TOOLS, OURS)}


def _said(store: Store, tool: str, call: known.Call) -> Result:
    """Return what a tool said of the memory of a call, from the store if it is fresh."""

    def ask() -> MemoryRun | TimeRun:
        if tool == OURS:
            return tools.ours(Batch(memory=1), call).run
        said = round(tools.increment_bytes(tool, call))
        return MemoryRun(said, 0, 0, said, said)

    if tool == next(iter(tools.TOOLS)):
        _announce(store, tool, call)
    return _stored(store, tool, call, ask)


def _cpu_seconds(store: Store) -> tuple[float, float, float]:
    call = known.Call("two busy workers", known.busy_workers, (BUSY_SECONDS,), tree=True)
    _announce(store, "%time", call)
    magic = _stored(
        store, "%time", call, lambda: TimeRun(0.0, tools.time_magic_cpu_seconds(call), 0.0)
    )
    own = _stored(store, OURS, call, lambda: tools.ours(Batch(time=1), call).run)
    return 2 * BUSY_SECONDS, magic.cpu_seconds.median, own.cpu_seconds.median


def _announce(store: Store, tool: str, call: known.Call) -> None:
    if _fresh(store, tool, call) is None:
        progress.say(f"Asking other tools and our gauge about: {call.label}")


def _fresh(store: Store, tool: str, call: known.Call) -> Result | None:
    found = store.get(TASK, f"{tool}: {call.label}")
    if store.is_fixed:
        return found
    if os.environ.get("FRESH") == "1":
        return None
    return found if found and found.source_sha256 == _digest(call) else None


def _stored(
    store: Store, tool: str, call: known.Call, ask: Callable[[], MemoryRun | TimeRun]
) -> Result:
    """Return a tool's answer from the store, or ask and store it."""
    found = _fresh(store, tool, call)
    if found is None:
        begun = Result(TASK, f"{tool}: {call.label}", _digest(call))
        found = runner.extended(begun, runner.Outcome((ask(),)))
        store.put(found)
    return found


def _digest(call: known.Call) -> str:
    """Return the digest of all that decides what a tool says."""
    # A store is about one file, wherever that lies: its path decides nothing.
    args = [arg for arg in call.args if not isinstance(arg, str)]
    parts = [_code(), repr(args), sources.source_sha256(cast("FunctionType", call.function))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@functools.cache
def _code() -> str:
    folder = Path(__file__).parent
    code = b"".join((folder / f"{name}.py").read_bytes() for name in ("tools", "known"))
    versions = [metadata.version(name) for name in ("memory_profiler", "ipython", "psutil")]
    return hashlib.sha256(code + repr(versions).encode()).hexdigest()
