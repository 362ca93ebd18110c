"""How much memory and how many processors may be used here: the tightest bound counts."""

from __future__ import annotations

from . import bounds

#: Of the free memory, so much may be used by a run: the rest is for the system to live on.
USABLE_FRACTION = 0.9


def total_bytes() -> int:
    """Return the memory of the machine, or the least that bounds this process to, bytes."""
    return round(min(bound.amount for bound in bounds.memory()))


def free_bytes() -> int:
    """Return what is free, bytes; the page cache can be given up, and counts as free."""
    return round(min(bound.free for bound in bounds.memory()))


def usable_bytes() -> int:
    """Return how much of the free memory a run may use, bytes."""
    return round(USABLE_FRACTION * free_bytes())


def cores() -> float:
    """Return how many processors may be used; a cgroup may grant a fraction of one."""
    return min(bound.amount for bound in bounds.processors())
