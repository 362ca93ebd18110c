import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import files
from benchmarks.claims import judge
from benchmarks.claims.claim import Claim, Verdict
from benchmarks.claims.expressions import Expression
from benchmarks.errors import AbsentError, FigureError
from benchmarks.gauge.readings import MemoryRun, TimeRun
from benchmarks.images.image import Image
from benchmarks.results.result import Result
from benchmarks.results.statistics import Interval
from benchmarks.results.store import CONVERTER
from benchmarks.units import MIB

RESULTS = {
    "slow": Result("t", "slow", time_runs=tuple(TimeRun(s, s, 0.0) for s in (8.0, 10.0, 12.0))),
    "quick": Result("t", "quick", time_runs=tuple(TimeRun(s, s, 0.0) for s in (1.0, 1.0, 2.0))),
    "small": Result("t", "small", raw_bytes=MIB, memory_runs=(MemoryRun(0, 0, 0),)),
    "large": Result("t", "large", raw_bytes=MIB, memory_runs=(MemoryRun(5 * MIB, 0, 0),)),
}


DATA = Image(Path("a.nii.gz"), (8, 7, 6, 5), "int16", compression="gz")


def find(task, method):
    assert task == "t"
    return RESULTS[method]


def claim(text, at_least=None, at_most=None, releases=()):
    return Claim("A sentence.", Expression.parse(text), at_least, at_most, "here", releases)


def again(claim):
    """Return a claim as it comes back from JSON."""
    return CONVERTER.structure(json.loads(json.dumps(CONVERTER.unstructure(claim))), Claim)


def test_a_ratio_reaches_as_far_as_the_runs_let_it():
    value = Expression.parse("t.slow.time / t.quick.time").evaluate(find)
    assert value == Interval(10.0, 4.0, 12.0)


def test_nothing_is_not_divided_by():
    value = Expression.parse("t.large.peak / t.small.peak").evaluate(find)
    assert value.median == pytest.approx(50)
    assert Expression.parse("t.small.peak").evaluate(find).median == 0


@pytest.mark.parametrize(
    ("text", "at_least", "at_most", "verdict"),
    [
        ("t.slow.time / t.quick.time", 4.0, None, Verdict.HOLDS),
        ("t.slow.time / t.quick.time", 5.0, None, Verdict.UNDECIDED),
        ("t.slow.time / t.quick.time", 12.1, None, Verdict.CONTRADICTED),
        ("t.slow.time / t.quick.time", None, 12.0, Verdict.HOLDS),
        ("t.slow.time / t.quick.time", None, 3.9, Verdict.CONTRADICTED),
        ("t.slow.time / t.quick.time", 4.5, 13.0, Verdict.UNDECIDED),
        ("t.large.multiplier", 4.9, 5.1, Verdict.HOLDS),
    ],
)
def test_the_whole_spread_decides(text, at_least, at_most, verdict):
    assert claim(text, at_least, at_most).judge(find, {}, DATA)[0] is verdict


@given(st.lists(st.floats(0.01, 100), min_size=3, max_size=3), st.floats(0.01, 100))
def test_a_bound_is_never_both_held_and_contradicted(values, bound):
    low, median, high = sorted(values)
    interval = Interval(median, low, high)
    at_least = claim("t.large.multiplier", at_least=bound).verdict(interval)
    assert (at_least is Verdict.HOLDS) == (low >= bound)
    assert (at_least is Verdict.CONTRADICTED) == (high < bound)


def test_a_claim_of_other_releases_is_not_judged():
    bound = claim("t.missing.time", at_least=1, releases=(("nilearn", "<0.13.1"),))
    assert bound.judge(find, {"nilearn": "0.14.1"}, DATA) == (Verdict.ELSEWHERE, "")
    assert bound.judge(find, {}, DATA) == (Verdict.ELSEWHERE, "")
    assert bound.applies({"nilearn": "0.13.0"}, DATA)


@pytest.mark.parametrize(
    ("condition", "change", "other"),
    [
        ("compressed", {"compression": "gz"}, {"compression": "none"}),
        ("uncompressed", {"compression": "none"}, {"compression": "bz2"}),
        ("scaled", {"slope": 2.0}, {"slope": 1.0}),
        ("unscaled", {"inter": 0.0}, {"inter": 1.0}),
        ("at least 50 volumes", {"shape": (8, 7, 6, 50)}, {"shape": (64, 64, 60, 49)}),
        ("at least 1 MiB", {"shape": (64, 64, 64, 2)}, {"shape": (64, 64, 64, 1)}),
    ],
)
def test_a_claim_about_some_files_is_judged_on_those_alone(condition, change, other):
    bound = replace(claim("t.slow.time / t.quick.time", at_least=2), when=(condition,))
    assert bound.judge(find, {}, replace(DATA, **change))[0] is Verdict.HOLDS
    assert bound.judge(find, {}, replace(DATA, **other)) == (Verdict.ELSEWHERE, "")
    assert again(bound) == bound
    for unknown in ("small", "at least 50", "at least fifty volumes", "at least 2 GB"):
        with pytest.raises(FigureError, match=r"compressed, uncompressed, .*at least N volumes"):
            replace(bound, when=(unknown,)).judge(find, {}, DATA)


def test_a_claim_says_which_files_it_is_about():
    bound = replace(claim("t.slow.time", at_least=2), when=("compressed",))
    assert bound.scope == "compressed files"
    sizes = ("scaled", "integers", "at least 50 volumes", "at least 32 MiB")
    long = "scaled integers files of at least 50 volumes and at least 32 MiB"
    assert replace(bound, when=sizes).scope == long
    assert replace(bound, when=sizes[2:3]).scope == "files of at least 50 volumes"


def test_value_and_bound_are_written_for_readers():
    _, value = claim("t.slow.time / t.quick.time", at_least=4).judge(find, {}, DATA)
    assert value == "10 (4.0 to 12)"
    _, value = claim("t.large.multiplier", at_least=4).judge(find, {}, DATA)
    assert value == "5.0 (1 repeat)"
    bound = claim("t.slow.time", at_least=4, at_most=20).bound
    assert bound.replace("\N{NO-BREAK SPACE}", " ") == "at least 4.00 s and at most 20.0 s"


@pytest.mark.parametrize(
    ("bounds", "value"),
    [
        ((0.9, 1.1), "1.00 (1 repeat)"),
        ((0.89, 1.2), "1.0 (1 repeat)"),
        ((None, 0.95), "1.00 (1 repeat)"),
    ],
)
def test_a_ratio_whose_bound_is_near_one_has_a_digit_more(bounds, value):
    assert claim("t.large.peak / t.large.peak", *bounds).judge(find, {}, DATA)[1] == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slow.time", "task.method.quantity"),
        ("t.slow.speed", "no such quantity"),
        ("t.slow.time / t.slow.peak", "different units"),
        ("t.a.time / t.b.time / t.c.time", "more than one division"),
        ("", "task.method.quantity"),
    ],
)
def test_an_expression_that_is_none_is_refused(text, message):
    with pytest.raises(FigureError, match=message):
        Expression.parse(text)


def test_a_cost_that_is_paid_once_is_divided_by_what_each_use_saves():
    text = "t.large.time / (t.slow.time - t.quick.time)"
    expression = Expression.parse(text)
    assert str(expression) == text
    times = {"large": (30.0,), "slow": (9.0, 10.0, 12.0), "quick": (1.0, 1.0, 2.0)}

    def timed(_task, method):
        return Result("t", method, time_runs=tuple(TimeRun(s, 0, 0) for s in times[method]))

    value = expression.evaluate(timed)
    assert (value.median, value.low, value.high) == pytest.approx((30 / 9, 30 / 11, 30 / 7))
    times["quick"] = (9.0, 9.5, 13.0)
    value = expression.evaluate(timed)
    assert (value.median, value.high) == (60, float("inf"))


def test_a_claim_about_a_program_that_is_not_installed_is_not_judged():
    def absent(*_):
        raise AbsentError("mrmath is not installed.")

    bound = claim("t.slow.time / t.quick.time", at_least=2)
    assert bound.judge(absent, {}, DATA) == (Verdict.ELSEWHERE, "")


def test_a_claim_needs_a_bound_and_a_version_range():
    with pytest.raises(FigureError, match="needs a bound"):
        claim("t.slow.time")
    with pytest.raises(FigureError, match="not a version range"):
        claim("t.slow.time", at_least=1, releases=(("nilearn", "new"),))


def test_a_claim_survives_json():
    original = claim("t.slow.time / t.quick.time", 4, 5, (("nilearn", ">=0.13.1"),))
    assert again(original) == original


def test_pages_that_cannot_be_read_are_a_sentence_and_leave_no_log(tmp_path, monkeypatch):
    for name, folder in (("PROJECT", "project"), ("DOC", "doc")):
        (tmp_path / folder).mkdir()
        monkeypatch.setattr(files, name, tmp_path / folder)
    monkeypatch.setattr(files, "CLAIMS", tmp_path / "claims.json")
    (tmp_path / "project" / "conf.py").write_text("raise OSError('there is no room')\n")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    left = set(tmp_path.iterdir())
    with pytest.raises(FigureError, match=r"cannot be read: OSError: there is no room$"):
        judge.collected_claims()
    assert set(tmp_path.iterdir()) == left
