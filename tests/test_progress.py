import io

import pytest

from benchmarks import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def stream(request):
    stream = request.param()
    progress.send_to(stream)
    yield stream
    progress.send_to(None)


def work():
    with progress.Meter("load", {"first": 2, "second": 1}) as meter:
        for name, left in (("first", 1), ("second", 0), ("first", 0)):
            meter.starting(name)
            meter.finished(name, 1, left, "time 1 ms")


@pytest.mark.parametrize("stream", [io.StringIO], indirect=True)
def test_a_log_has_one_plain_line_a_method(stream):
    work()
    assert stream.getvalue().splitlines() == [
        "load.second: time 1 ms",
        "load.first: time 1 ms",
    ]


@pytest.mark.parametrize("stream", [Terminal], indirect=True)
def test_a_terminal_shows_method_run_and_time(stream, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    work()
    shown = stream.getvalue()
    assert "load: first, run 2 of 2" in shown
    assert "left" in shown


@pytest.mark.parametrize("stream", [io.StringIO], indirect=True)
def test_a_method_that_fails_has_its_line_at_once(stream):
    with progress.Meter("load", {"first": 5}) as meter:
        meter.starting("first")
        meter.finished("first", 1, 0, "raised ValueError: [x]")
    assert stream.getvalue() == "load.first: raised ValueError: [x]\n"


@pytest.mark.parametrize("stream", [Terminal], indirect=True)
def test_a_noisy_method_gets_more_runs_than_thought(stream, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress.Meter("load", {"first": 1}) as meter:
        meter.finished("first", 1, 1, "time 1 ms")
        meter.starting("first")
    assert "run 2 of 2" in stream.getvalue()
