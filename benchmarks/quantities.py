"""The quantities that are shown of a result: their names, units and smallest amounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .runs import SMALLEST_BYTES
from .units import (
    BYTES_UNITS,
    MIB,
    SECONDS_UNITS,
    format_bytes,
    format_ratio,
    format_seconds,
    significant,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Quantity:
    """What the faces need to know of one quantity.

    Attributes
    ----------
    heading : str
        Its name in tables and plots.
    field : str
        The attribute of `Result` that holds it.
    write : callable
        Writes a value with its unit.
    smallest : float
        The smallest amount that means anything; ratios take nothing as less.
    drawn_in : float
        The unit of plots, so that their ticks are round numbers.
    units : tuple of (str, float)
        What a column of it can be written in: names, and sizes.
    least_is_best : bool
        Whether tables mark the least figure.
    """

    heading: str
    field: str
    write: Callable[[float], str]
    smallest: float
    drawn_in: float = 1.0
    units: tuple[tuple[str, float], ...] = ()
    least_is_best: bool = True

    def write_in(self, unit: float, value: float) -> str:
        """Write a value without its unit, for a column whose heading has it."""
        if not self.units:
            return self.write(value)
        amount = value / unit
        if unit == MIB > abs(value):
            # As `format_bytes`: the third digit says nothing, and a minus zero is a zero.
            return f"{round(amount, 2) + 0.0:.2f}"
        return significant(amount)


QUANTITIES = {
    "time": Quantity("time", "wall_seconds", format_seconds, 1e-7, units=SECONDS_UNITS),
    "cpu": Quantity("CPU time", "cpu_seconds", format_seconds, 1e-7, units=SECONDS_UNITS),
    "peak": Quantity("peak", "peak_bytes", format_bytes, SMALLEST_BYTES, MIB, BYTES_UNITS),
    "kept": Quantity("kept", "kept_bytes", format_bytes, SMALLEST_BYTES, MIB, BYTES_UNITS),
    "whole": Quantity("all memory", "whole_bytes", format_bytes, SMALLEST_BYTES, MIB, BYTES_UNITS),
    "throughput": Quantity(
        "images per minute", "images_per_minute", significant, 1e-3, least_is_best=False
    ),
    "value": Quantity("value", "value", significant, 1e-9),
    "times_limit": Quantity("x limit", "times_limit", format_ratio, 1e-3),
    "multiplier": Quantity("multiplier", "multiplier", format_ratio, 1e-3),
}
