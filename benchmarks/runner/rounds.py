"""The one measuring loop: whatever is measured takes turns, so that a drift favours nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.tasks import agreement

from .execute import extended

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.progress import Meter
    from benchmarks.results.result import Result
    from benchmarks.results.store import Store
    from benchmarks.tasks.task import Method, Task

    from .execute import Failure, Outcome
    from .order import Batch
    from .schedule import Plan

    Results = tuple[Result, ...]


@dataclass
class Lot:
    """Results that are measured together: each interpreter adds runs to all of them."""

    #: What it is, for progress.
    label: str
    #: As far as they are there; replaced as runs come in.
    results: Results
    #: Where they are put after each interpreter, so that an interruption loses one at most; or
    #: nowhere, until they are all there.
    store: Store[Any] | None
    #: Given the results, the batches that they still need.
    missing: Callable[[Results], Sequence[Batch]]
    #: Carries out a batch in an interpreter, and returns an outcome for each of the results; None
    #: for one that stays as it is.
    carry_out: Callable[[Results, Batch], Sequence[Outcome | Failure | None]]
    #: Given the results with the new runs, returns them as they are stored; refuses some by an
    #: error.
    accept: Callable[[Results], Results] = tuple  # which takes them as they are

    @property
    def left(self) -> Sequence[Batch]:
        """The batches that are still missing."""
        return self.missing(self.results)

    @property
    def runs_left(self) -> int:
        """How many runs are still missing."""
        return sum(batch.runs for batch in self.left)

    def turn(self) -> Batch:
        """Carry out the next batch, store what came of it, and return the batch."""
        batch = self.left[0]
        pairs = zip(self.results, self.carry_out(self.results, batch), strict=True)
        found = tuple(extended(r, outcome) if outcome else r for r, outcome in pairs)
        self.results = self.accept(found)
        if self.store:
            self.store.put(*self.results)
        return batch


def lots_of(
    task: Task,
    store: Store[Any],
    results: dict[str, Result],
    plan: Plan,
    carry_out: Callable[..., Outcome | Failure],
) -> list[Lot]:
    """Return what is measured of the methods of a task.

    Parameters
    ----------
    task : Task
        Its methods are measured; what they return has to agree within each group.
    store : Store
        Where results are put.
    results : dict
        By the name of each method, replaced as runs come in.
    plan : Plan
        How many runs there are to be.
    carry_out : callable
        Given a method, a batch, and by name whether what is ``reduced`` of the return value is
        asked for, makes the runs.
    """
    return [_lot_of(task, method, store, results, plan, carry_out) for method in task.methods]


def _lot_of(  # noqa: PLR0913, PLR0917 - the same as above, for one of the methods
    task: Task,
    method: Method,
    store: Store[Any],
    results: dict[str, Result],
    plan: Plan,
    carry_out: Callable[..., Outcome | Failure],
) -> Lot:
    def turn(found: Results, batch: Batch) -> list[Outcome | Failure]:
        return [carry_out(method, batch, reduced=found[0].returned is None)]

    def accept(found: Results) -> Results:
        (results[method.name],) = found
        returned = {name: result.returned for name, result in results.items()}
        agreement.check_group(task, method, returned)
        return found

    def missing(found: Results) -> list[Batch]:
        return plan.missing(method, found[0])

    return Lot(method.name, (results[method.name],), store, missing, turn, accept)


def rounds(
    lots: Sequence[Lot],
    *,
    begin: Callable[[Lot], None] = lambda _: None,
    end: Callable[[Lot, Batch], None] = lambda *_: None,
) -> None:
    """Carry out all that is missing in turns: A B C, A B C. Those that lack most come first.

    Parameters
    ----------
    lots : sequence of Lot
        What is measured, in the order of a turn.
    begin, end : callable
        Told before and after each interpreter, for progress.

    Raises
    ------
    BenchmarkError
        A lot does not accept its results, or they cannot be stored.
    """
    while most := max((len(lot.left) for lot in lots), default=0):
        for lot in [lot for lot in lots if len(lot.left) == most]:
            begin(lot)
            end(lot, lot.turn())


def metered(lots: Sequence[Lot], meter: Meter) -> None:
    """Carry out `rounds`, and tell how far they are."""
    rounds(
        lots,
        begin=lambda lot: meter.starting(lot.label),
        end=lambda lot, batch: meter.finished(
            lot.label, batch.runs, lot.runs_left, lot.results[0].note()
        ),
    )
