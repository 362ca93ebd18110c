"""Measure how long a method takes and how much memory it needs, faithfully.

``compare(METHODS)`` is for examples and notebooks, ``measure(function, *args)`` for any call.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .across import Across, compare_releases
    from .calibration import predict
    from .comparing import compare
    from .comparison import Comparison
    from .crossing import Crossing, compare_forms
    from .growth import Growth, compare_images, compare_jobs, compare_lengths
    from .peers import Peers, compare_tools
    from .results import Result
    from .runner import measure

__all__ = [
    "Across",
    "Comparison",
    "Crossing",
    "Growth",
    "Peers",
    "Result",
    "compare",
    "compare_forms",
    "compare_images",
    "compare_jobs",
    "compare_lengths",
    "compare_releases",
    "compare_tools",
    "measure",
    "predict",
]

# Loaded when first asked for: a worker imports this package before it measures, and
# should bring along as little as it can.
_HOMES = {
    "Across": "across",
    "Comparison": "comparison",
    "Crossing": "crossing",
    "Growth": "growth",
    "Peers": "peers",
    "Result": "results",
    "compare": "comparing",
    "compare_forms": "crossing",
    "compare_images": "growth",
    "compare_jobs": "growth",
    "compare_lengths": "growth",
    "compare_releases": "across",
    "compare_tools": "peers",
    "measure": "runner",
    "predict": "calibration",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Give a session ``%measure`` and ``%%measure``: what ``%load_ext benchmarks`` calls."""
    from .magics import MeasureMagics  # noqa: PLC0415 - only a session has IPython loaded

    shell.register_magics(MeasureMagics)
