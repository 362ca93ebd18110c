"""Measure how long a method takes and how much memory it needs, faithfully.

``compare(METHODS)`` is for examples and notebooks, ``measure(function, *args)`` for any call.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .comparisons.compare import Comparison, compare
    from .comparisons.forms import Crossing, compare_forms
    from .comparisons.growth import Growth, compare_images, compare_jobs, compare_lengths
    from .comparisons.tools import Interpreters, Peers, compare_interpreters, compare_tools
    from .gauge.in_process import show_memory
    from .prediction.calibrate import predict
    from .prediction.pipelines import Requests, mem_gb, mem_gb_each
    from .releases.changes import Across, compare_releases
    from .results.result import Result
    from .runner.measure import measure

__all__ = [
    "Across",
    "Comparison",
    "Crossing",
    "Growth",
    "Interpreters",
    "Peers",
    "Requests",
    "Result",
    "compare",
    "compare_forms",
    "compare_images",
    "compare_interpreters",
    "compare_jobs",
    "compare_lengths",
    "compare_releases",
    "compare_tools",
    "measure",
    "mem_gb",
    "mem_gb_each",
    "predict",
    "show_memory",
]

# Loaded when first asked for: a worker imports this package before it measures, and
# should bring along as little as it can.
_HOMES = {
    "comparisons.compare": ("Comparison", "compare"),
    "comparisons.forms": ("Crossing", "compare_forms"),
    "comparisons.growth": ("Growth", "compare_images", "compare_jobs", "compare_lengths"),
    "comparisons.tools": ("Interpreters", "Peers", "compare_interpreters", "compare_tools"),
    "gauge.in_process": ("show_memory",),
    "prediction.calibrate": ("predict",),
    "prediction.pipelines": ("Requests", "mem_gb", "mem_gb_each"),
    "releases.changes": ("Across", "compare_releases"),
    "results.result": ("Result",),
    "runner.measure": ("measure",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{home}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Give a session ``%measure`` and ``%%measure``: what ``%load_ext benchmarks`` calls."""
    from .magics import MeasureMagics  # noqa: PLC0415 - only a session has IPython loaded

    shell.register_magics(MeasureMagics)
