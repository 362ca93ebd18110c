import io
import re

import pytest

from benchmarks import progress

CLOCK = r"\d\d:\d\d:\d\d"


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """Stands for the time, and goes on by so many seconds with each run."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def strftime(self, _form):
        return "12:00:00"


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def stream(request, monkeypatch):
    """Let progress go to a stream, a log if nothing else is asked for, and begin anew."""
    stream = getattr(request, "param", io.StringIO)()
    monkeypatch.setattr(progress, "_course", progress.Course())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    progress.send_to(stream)
    yield stream
    progress.send_to(None)


terminal = pytest.mark.parametrize("stream", [Terminal], indirect=True)


def left(line):
    return re.search(r"about (.*) left", line)[1].replace("\N{NO-BREAK SPACE}", " ")


def measure(task, *turns, clock=None, seconds=0.0):
    """Measure as `rounds` does: in each turn one run of a method, which still needs so many."""
    with progress.Meter(task, {name: 1 + left for name, left in reversed(turns)}) as meter:
        for name, left in turns:
            meter.starting(name)
            if clock:
                clock.now += seconds
            meter.finished(name, 1, left, "time 1 ms")


def test_a_log_has_one_plain_line_a_method_with_the_time_of_day(stream):
    measure("load", ("first", 1), ("second", 0), ("first", 0))
    lines = stream.getvalue().splitlines()
    assert re.match(
        rf"{CLOCK} load\.second: time 1 ms \(method 1 of 2, about .* left\)$", lines[0]
    )
    assert re.match(
        rf"{CLOCK} load\.first: time 1 ms \(method 2 of 2, about 0.s left\)$", lines[1]
    )


@terminal
def test_a_terminal_shows_methods_run_and_time(stream):
    measure("load", ("first", 1), ("second", 0), ("first", 0))
    shown = stream.getvalue()
    assert "method 2 of 2: load.first, run 2 of 2" in shown
    assert "left" in shown


def test_a_method_that_fails_has_its_line_at_once(stream):
    with progress.Meter("load", {"first": 5}) as meter:
        meter.starting("first")
        meter.finished("first", 1, 0, "raised ValueError: [x]")
    (line,) = stream.getvalue().splitlines()
    assert "load.first: raised ValueError: [x] (method 1 of 1" in line


@terminal
def test_a_noisy_method_gets_more_runs_than_thought(stream):
    with progress.Meter("load", {"first": 1}) as meter:
        meter.starting("first")
        meter.finished("first", 1, 1, "time 1 ms")
        meter.starting("first")
    assert "run 2 of 2" in stream.getvalue()


def test_what_is_announced_is_said_at_once_and_counted_across_tasks(stream):
    progress.expect({"load.a": 10.0, "load.b": 20.0, "mean@short.c": 30.0})
    assert progress.is_told("another")
    measure("load", ("a", 0), ("b", 0))
    measure("mean@short", ("c", 0))
    assert progress.is_told("load")
    assert not progress.is_told("another")
    said, *lines = stream.getvalue().splitlines()
    assert re.match(rf"{CLOCK} 3 methods to measure, about 1.min 00.s left\.$", said)
    assert [re.search(r"method \d of \d", line)[0] for line in lines] == [
        "method 1 of 3",
        "method 2 of 3",
        "method 3 of 3",
    ]


def test_what_was_not_announced_is_added_and_what_is_passed_over_is_dropped(stream):
    progress.expect({"load.a": 1.0, "load.gone": 1.0, "mean.c": 1.0})
    measure("load", ("a", 0))
    measure("load@nii", ("new", 0))
    measure("mean", ("c", 0))
    found = [
        re.search(r"method (\d of \d)", line)[1] for line in stream.getvalue().splitlines()[1:]
    ]
    assert found == ["1 of 3", "2 of 4", "3 of 3"]


def test_stored_methods_of_a_task_are_not_counted(stream):
    with progress.Meter("load", {"stored": 0, "a": 1}) as meter:
        meter.starting("a")
        meter.finished("a", 1, 0, "")
    assert "method 1 of 1" in stream.getvalue()


def test_time_left_follows_what_the_first_methods_took(stream, clock):
    progress.expect({f"load.m{n}": 30.0 for n in range(12)})
    for n in range(11):
        measure("load", (f"m{n}", 0), clock=clock, seconds=60.0)
    said, *lines = stream.getvalue().splitlines()
    assert left(said) == "6 min 00 s"
    # One that takes twice as long does not double what is left of the eleven; ten of them do.
    assert left(lines[0]) == "7 min 20 s"
    assert left(lines[-1]) == "55 s"


def test_a_first_import_says_little_of_the_rest(stream, clock):
    progress.expect({f"load.m{n}": 1.0 for n in range(101)})
    measure("load", ("m0", 0), clock=clock, seconds=8.0)
    assert left(stream.getvalue().splitlines()[-1]) == "1 min 51 s"


def test_runs_of_a_method_count_as_its_parts(stream, clock):
    progress.expect({"load.a": 60.0, "load.b": 60.0})
    with progress.Meter("load", {"a": 2, "b": 1}) as meter:
        meter.starting("a")
        clock.now += 30.0
        meter.finished("a", 1, 1, "")
        meter.starting("b")
        clock.now += 60.0
        meter.finished("b", 1, 0, "")
    assert left(stream.getvalue().splitlines()[-1]) == "30 s"
