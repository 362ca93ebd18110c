"""Write amounts as the site shows them: in three digits, since times rarely repeat to more."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING

from .errors import UnitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KIB = 1024
MIB = 1024**2
GIB = 1024**3
MINUTE_SECONDS = 60
HOUR_SECONDS = 3600

_SIZES = {"KIB": KIB, "MIB": MIB, "GIB": GIB, "KB": 1000, "MB": 1000**2, "GB": 1000**3}
_TIMES = {"S": 1, "MIN": MINUTE_SECONDS, "H": HOUR_SECONDS}
_AMOUNT = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)\s*(?P<unit>[a-zA-Z]*)", re.ASCII)

#: What whole columns are written in: name of the unit, and its size.
SECONDS_UNITS = (("µs", 1e-6), ("ms", 1e-3), ("s", 1.0))
BYTES_UNITS = (("MiB", float(MIB)), ("GiB", float(GIB)))

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
SPACE = "\N{NO-BREAK SPACE}"


def significant(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, without an exponent.

    Parameters
    ----------
    value : float
        Any number; infinity is written as the sign for it.
    digits : int
        How many digits count; whole thousands are grouped by narrow spaces.

    Returns
    -------
    str
        For example ``1.22``, ``434`` or ``5 400``.
    """
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "not a number"
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(value)))
    rounded = round(value, digits - 1 - exponent)
    # Rounding may carry over to one more digit before the point: 9.996 is 10.0, not 10.00.
    exponent = math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(0, digits - 1 - exponent)}f}".replace(",", NARROW_SPACE)


def format_seconds(seconds: float) -> str:
    """Write a duration in µs, ms or s, for example ``1.22 ms``."""
    for factor, unit in ((1e6, "µs"), (1e3, "ms")) if seconds else ():
        # The rounded number decides, so that 999.7 ms is written as a second.
        if float(f"{abs(seconds) * factor:.3g}") < 1000:  # noqa: PLR2004
            return f"{significant(seconds * factor)}{SPACE}{unit}"
    return f"{significant(seconds)}{SPACE}s"


def format_bytes(size_bytes: float) -> str:
    """Write a size in MiB or GiB, for example ``0.05 MiB``, ``333 MiB`` or ``3.84 GiB``."""
    if abs(size_bytes) >= 1000 * MIB:
        return f"{significant(size_bytes / GIB)}{SPACE}GiB"
    if abs(size_bytes) < MIB:
        # Memory is counted in pages of 4 KiB: the third digit of so little says nothing.
        # Adding zero makes a zero of a minus zero.
        return f"{round(size_bytes / MIB, 2) + 0.0:.2f}{SPACE}MiB"
    return f"{significant(size_bytes / MIB)}{SPACE}MiB"


def unit_of(values: Sequence[float], units: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """Choose a column's unit: the largest that the geometric mean holds, else the smallest."""
    logarithms = [math.log(value) for value in values if value > 0]
    middle = math.exp(sum(logarithms) / len(logarithms)) if logarithms else 0.0
    fitting = [unit for unit in units if unit[1] <= middle]
    return fitting[-1] if fitting else units[0] if units else ("", 1.0)


def format_ratio(ratio: float) -> str:
    """Write a ratio with two significant digits, for example ``1.4``, ``12`` or ``5 400``."""
    return significant(ratio, 2)


def format_duration(seconds: float) -> str:
    """Write the length of a wait, for example ``5 s``, ``3 min 05 s`` or ``1 h 02 min``."""
    whole = round(seconds)
    if whole < MINUTE_SECONDS:
        return f"{whole}{SPACE}s"
    if whole < HOUR_SECONDS:
        return f"{whole // MINUTE_SECONDS}{SPACE}min {whole % MINUTE_SECONDS:02d}{SPACE}s"
    minutes = whole // MINUTE_SECONDS
    return f"{minutes // 60}{SPACE}h {minutes % 60:02d}{SPACE}min"


def format_range(
    write: Callable[[float], str], low: float, high: float, joint: str = " to "
) -> str:
    """Write a range, the unit once if it is the same, for example ``360 to 441 ms``."""
    first, last = write(low), write(high)
    number, _, unit = first.rpartition(SPACE)
    same = number and unit == last.rpartition(SPACE)[2]
    return f"{number if same else first}{joint}{last}"


def read_count(name: str, text: str) -> int:
    """Read a whole number of at least 1, ``name`` before it in the UnitError raised for others."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UnitError(f"{name}{printable(text)} is not a whole number of at least 1.")
    return int(text)


def read_bytes(text: str) -> int:
    """Read a size such as ``8GiB``, ``500 MB`` or ``1.5GiB``; raises UnitError for others."""
    return round(_read(text, _SIZES, "a size such as 500MiB or 8GiB"))


def read_seconds(text: str) -> float:
    """Read a time such as ``90``, ``90s`` or ``10min``; raises UnitError for others."""
    return _read(text, _TIMES | {"": 1}, "a time such as 90 or 10min")


def _read(text: str, units: dict[str, int], what: str) -> float:
    match = _AMOUNT.fullmatch(text.strip())
    size = units.get(match["unit"].upper(), 0) if match else 0
    value = float(match["number"]) * size if match else 0.0
    if not value:
        raise UnitError(f"{printable(text)!r} is not {what}.")
    return value


def printable(text: str) -> str:
    """Return a text without control characters, which could steer a terminal."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if c != "\n" and unicodedata.category(c)[0] == "C" else c
        for c in text
    )
