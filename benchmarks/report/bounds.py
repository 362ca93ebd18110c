"""What bounds a run here, as a table: each bound, where it comes from, and which one counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.gauge import bounds, machine
from benchmarks.units import format_bytes

from .table import Table

if TYPE_CHECKING:
    from benchmarks.gauge.bounds import Bound

#: A path of a cgroup can be longer than a terminal is wide: its end says which one it is.
_LONGEST_SOURCE = 60


@dataclass(frozen=True)
class Bounds:
    """What bounds a run here, by what is limited; the tightest of each counts."""

    found: tuple[Bound, ...]

    @classmethod
    def now(cls) -> Bounds:
        """Look for them."""
        return cls(tuple(bounds.found()))

    def counts(self, bound: Bound) -> bool:
        """Tell whether less is left of none of its kind."""
        same = [other for other in self.found if other.limits == bound.limits]
        return bound is min(same, key=lambda other: other.free)

    def table(self) -> Table:
        """Return the table: what is limited and by what, to how much, and what is left of it."""
        rows = [
            (
                f"{bound.limits}: {_cut(bound.source)}",
                _written(bound, bound.amount),
                _written(bound, bound.free),
                "yes" if self.counts(bound) else "",
            )
            for bound in self.found
        ]
        return Table(("bound", "limit", "free", "counts"), tuple(rows))

    @property
    def caption(self) -> str:
        """What follows for a run."""
        memory = min(bound.free for bound in self.found if bound.limits == bounds.MEMORY)
        count = min(bound.amount for bound in self.found if bound.limits == bounds.PROCESSORS)
        return (
            f"A run may use {format_bytes(machine.USABLE_FRACTION * memory)} of memory, "
            f"{machine.USABLE_FRACTION:.0%} of what is free, and {count:g} "
            f"processor{'s' if count > 1 else ''}."
        )

    def __str__(self) -> str:
        return f"{self.table().text()}\n\n{self.caption}"

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        rows = []
        for bound in self.found:
            unit = "processors" if bound.limits == bounds.PROCESSORS else "bytes"
            rows.append(
                {
                    "limits": bound.limits,
                    "source": bound.source,
                    unit: bound.amount,
                    f"free_{unit}": bound.free,
                    "counts": self.counts(bound),
                }
            )
        return {"usable_fraction": machine.USABLE_FRACTION, "bounds": rows}


def _written(bound: Bound, amount: float) -> str:
    return f"{amount:g}" if bound.limits == bounds.PROCESSORS else format_bytes(amount)


def _cut(source: str) -> str:
    return source if len(source) <= _LONGEST_SOURCE else f"…{source[1 - _LONGEST_SOURCE :]}"
