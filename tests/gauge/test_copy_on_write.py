"""Pages that are copied after a fork: they change no counter but that of faults."""

import functools

import copies
import pytest

from benchmarks.gauge import peak
from benchmarks.gauge.peak import Sharing, Tick
from benchmarks.runner import execute
from benchmarks.runner.launch import prepare
from benchmarks.runner.order import Batch, Order
from benchmarks.units import MIB

HALF = functools.partial(copies.forks, work=copies.half)
BY_AND_BY = functools.partial(copies.forks, work=copies.little_by_little)
PARENT = functools.partial(copies.forks, own_work=copies.half)
# The second of them to write a page is given it back, and copies nothing.
BOTH = functools.partial(copies.forks, work=copies.half, own_work=copies.half)

CALLS = [
    *(pytest.param(HALF, count, id=f"{count} copy a half") for count in (1, 2, 3)),
    *(pytest.param(BY_AND_BY, count, id=f"{count} copy by and by") for count in (1, 2, 3)),
    pytest.param(PARENT, 1, id="the parent copies"),
    pytest.param(BOTH, 1, id="both copy the same"),
    pytest.param(copies.grandchild, 1, id="a fork of a fork copies"),
    pytest.param(copies.brief, 1, id="a fork copies all and ends after 20 ms"),
    *(pytest.param(copies.processes, count, id=f"{count} processes copy") for count in (2, 3)),
]


@pytest.mark.alone
@pytest.mark.parametrize(("call", "count"), CALLS)
def test_what_forks_copy_is_read_like_a_reading_at_rest(call, count):
    # In a fork of a template the call would share pages with it, and count its part of them.
    order = Order(call, ((count,),), Batch(memory=1), reduced=True)
    outcome = execute.carry_out(prepare(order, fresh=True))
    assert not isinstance(outcome, execute.Failure), outcome
    at_rest, run = outcome.returned[-1].sums[0], outcome.runs[-1]
    assert at_rest > (copies.SIZE_MIB + count * copies.SIZE_MIB // 2) * MIB
    assert abs(run.peak_bytes - at_rest) <= max(MIB, 0.005 * at_rest)
    assert run.low_bytes <= at_rest <= run.high_bytes


@pytest.mark.alone
def test_a_forked_run_reads_the_same_as_a_fresh_one():
    order = Order(HALF, ((2,),), Batch(memory=1), reduced=True)
    forked, fresh = (execute.carry_out(prepare(order, fresh=fresh)) for fresh in (False, True))
    assert abs(forked.runs[-1].peak_bytes - fresh.runs[-1].peak_bytes) <= 2 * MIB


def tick(seconds, private, *, copied=0, young=0, forks=(1,)):
    certain, nothing = True, 0
    parts = (nothing, nothing, private, nothing, nothing, certain, nothing)
    more = {"copied": copied, "young": young, "forks": frozenset(forks)}
    return Tick(seconds, 2, private, *parts, **more)


def reading(start, repeated, *, copied=0, drift=0, forks=None, end=None):
    return Sharing(
        *(start, start if end is None else end, 200_000, 0, repeated, 0),
        copied=copied,
        drift=drift,
        forks={1: 90_000} if forks is None else forks,
    )


def total(at, sharings):
    return peak.parts_at(at, sharings).total


def test_between_two_readings_memory_follows_the_faults():
    readings = [reading(0, 100_000), reading(10, 40_000, copied=60_000)]
    assert total(tick(1, 200_000, copied=45_000), readings) == 145_000


def test_faults_after_the_last_reading_count_as_copies_and_widen_the_bounds():
    ticks = [tick(0, 200_000), tick(5, 200_000, copied=50_000)]
    found = peak.read_out(ticks, [reading(0, 100_000)])
    assert found.peak_bytes == 50_000 * 1024
    assert found.low_bytes == 0
    assert found.high_bytes >= found.peak_bytes


def test_what_was_copied_while_the_sharing_was_read_widens_the_bounds():
    ticks = [tick(0, 200_000), tick(5, 200_000, copied=30_000)]
    sure = peak.read_out(ticks, [reading(0, 100_000), reading(5, 70_000, copied=30_000)])
    moved = reading(4, 70_000, copied=30_000, drift=8_000, end=6)
    unsure = peak.read_out(ticks, [reading(0, 100_000), moved])
    assert sure.peak_bytes == unsure.peak_bytes == 30_000 * 1024
    assert unsure.high_bytes - sure.high_bytes == 8_000 * 1024


def test_a_fork_that_has_ended_takes_along_only_what_it_did_not_share():
    two = reading(0, 180_000, forks={1: 90_000, 2: 80_000})
    assert total(tick(1, 190_000), [two]) == 190_000 - (180_000 - 80_000)


def test_a_fork_that_was_not_read_holds_what_its_faults_gave_it_at_most():
    ticks = [tick(0, 100_000, forks=()), tick(1, 100_000, young=30_000, forks=())]
    found = peak.read_out(ticks, [reading(0, 0, forks={})])
    assert found.peak_bytes == 30_000 * 1024
    assert found.low_bytes == 0
