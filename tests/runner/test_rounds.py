import pytest

from benchmarks.errors import DisagreementError
from benchmarks.gauge.readings import TimeRun
from benchmarks.results.result import Result, Status
from benchmarks.runner.execute import Failure, Outcome
from benchmarks.runner.order import Batch
from benchmarks.runner.rounds import Lot, rounds


class Stored:
    """A store that keeps what it was given."""

    def __init__(self):
        self.puts = []

    def put(self, *results):
        self.puts.append(results)


def lot(name, wanted, log, store=None, **choices):
    """Return a lot of one result that wants so many time runs, one in each interpreter."""

    def missing(results):
        (result,) = results
        return [] if result.failed else [Batch(time=1)] * (wanted - len(result.time_runs))

    def carry_out(_results, batch):
        log.append(name)
        return [Outcome((TimeRun(1.0, 1.0, 0.0),) * batch.time)]

    return Lot(name, (Result("t", name),), store, **{
        "missing": missing, "carry_out": carry_out, **choices
    })  # fmt: skip


def test_lots_take_turns_and_those_that_lack_most_catch_up_first():
    log = []
    rounds([lot("a", 2, log), lot("b", 3, log), lot("c", 2, log)])
    assert log == ["b", "a", "b", "c", "a", "b", "c"]


def test_what_an_interpreter_gave_is_stored_at_once():
    store = Stored()
    rounds([lot("a", 3, [], store)])
    assert [len(result.time_runs) for (result,) in store.puts] == [1, 2, 3]


def test_without_a_store_the_results_are_in_the_lot():
    found = lot("a", 2, [])
    rounds([found])
    assert len(found.results[0].time_runs) == 2


def test_what_is_not_accepted_is_not_stored_and_ends_all():
    def refuse(_results):
        raise DisagreementError("a and b disagree")

    store, log = Stored(), []
    with pytest.raises(DisagreementError):
        rounds([lot("a", 1, log, store, accept=refuse), lot("b", 1, log, store)])
    assert (store.puts, log) == ([], ["a"])


def test_a_lot_that_fails_is_not_tried_again_and_the_others_go_on():
    log = []
    failing = lot("a", 2, log, carry_out=lambda *_: [Failure(Status.RAISED, "raised")])
    other = lot("b", 2, log)
    rounds([failing, other])
    assert (failing.results[0].status, log) == ("raised", ["b", "b"])


def test_a_result_that_had_no_runs_stays_as_it_is():
    found = lot("a", 1, [], missing=lambda results: [Batch(time=1)][len(results[1].time_runs) :])
    kept = Result("t", "kept", status=Status.RAISED, measured_at="then")
    found.results = (kept, *found.results)
    found.carry_out = lambda *_: [None, Outcome((TimeRun(1.0, 1.0, 0.0),))]
    rounds([found])
    assert found.results[0] is kept
    assert len(found.results[1].time_runs) == 1


def test_progress_is_told_before_and_after_each_interpreter():
    told = []
    rounds(
        [lot("a", 2, [])],
        begin=lambda one: told.append(("begin", one.runs_left)),
        end=lambda one, batch: told.append((batch.runs, one.runs_left)),
    )
    assert told == [("begin", 2), (1, 1), ("begin", 1), (1, 0)]
