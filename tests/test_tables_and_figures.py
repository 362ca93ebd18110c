import matplotlib.pyplot as plt
import pytest

from benchmarks import figures, tables
from benchmarks import series as series_plots
from benchmarks.results import Result
from benchmarks.runs import MemoryRun, Series, TimeRun
from benchmarks.units import MIB


@pytest.fixture(autouse=True)
def _closed():
    plt.switch_backend("agg")
    yield
    plt.close("all")


def result(method, seconds, peak_mib, task="load"):
    return Result(
        task,
        method,
        raw_bytes=100 * MIB,
        time_runs=tuple(TimeRun(s, s, 0.0) for s in seconds),
        memory_runs=(MemoryRun(int(peak_mib * MIB), 0, 0),),
    )


RESULTS = [
    result("nibabel_load", [0.001, 0.002, 0.0015], 0),
    result("get_fdata", [1.0, 1.2, 1.1], 500),
    Result("load", "broken", status="raised", message="raised ValueError: x"),
]


def test_cells_are_written_with_their_units():
    rows = tables.of_results(RESULTS).rows
    plain = [[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in rows]
    assert plain[1] == ["get_fdata", "~1.10 s", "1.00 to 1.20 s", "500 MiB", "0.00 MiB", "5.0"]
    assert plain[2][:2] == ["broken", "raised"]


def test_what_is_to_be_said_of_a_row_stands_below():
    blurred = Result(
        "load",
        "blurred",
        time_runs=(TimeRun(1, 1, 0),),
        memory_runs=(MemoryRun(9 * MIB, 0, 0, 0, 9 * MIB),),
    )
    said = [
        text.replace("\N{NO-BREAK SPACE}", " ") for text in tables.remarks([*RESULTS, blurred])
    ]
    assert said[1:] == [
        "get_fdata: noisy time, the true median lies in 1.00 to 1.20 s; no reason was seen.",
        "broken: raised ValueError: x.",
        "blurred: the peak lies in 0.00 to 9.00 MiB.",
    ]


def test_memory_over_time_is_drawn_with_the_looks_at_it():
    series = Series((0.05, 0.1, 0.2, 0.31), (0, MIB, 5 * MIB, 0), (0,) * 4, (0,) * 4, (1,) * 4)
    (axes,) = series_plots.plot_looks(series, 0.1, "Memory").axes
    line, dots = axes.lines
    assert max(line.get_ydata()) == 5
    assert list(dots.get_ydata()) == [0, 1, 5, 0]


def test_published_figures_stand_beside_where_there_are_any():
    table = tables.of_results(RESULTS, as_published=True)
    assert table.headings[-2:] == ("time, as published", "peak, as published")
    assert "–" not in table.rows[0][-2:]
    assert table.rows[1][-2:] == ("–", "–")
    assert "original chapter" in tables.published_source("load")


def test_a_note_is_one_line_with_figures_or_the_reason():
    assert tables.note(RESULTS[0]).replace("\N{NO-BREAK SPACE}", " ") == (
        "time 1.50 ms, peak 0.00 MiB"
    )
    assert tables.note(RESULTS[2]) == "raised ValueError: x"


def test_every_run_is_drawn_and_the_title_says_what_is_missing():
    figure = figures.plot(RESULTS, "time", "Time of each way")
    (axes,) = figure.axes
    assert figure.get_suptitle() == "Time of each way (1 without figures)"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["nibabel_load", "get_fdata"]
    assert [len(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"] == [3, 3]
    assert axes.get_xscale() == "log"


def test_memory_is_drawn_in_mebibytes_also_where_there_is_none():
    (axes,) = figures.plot(RESULTS, "peak", "Peak").axes
    assert axes.get_xscale() == "log"
    assert max(axes.lines[2].get_xdata()) == 500
    assert min(axes.lines[0].get_xdata()) > 0


def test_values_that_are_close_are_drawn_from_nothing():
    (axes,) = figures.plot([RESULTS[1], result("other", [1.3], 400)], "time", "Time").axes
    assert axes.get_xscale() == "linear"
    assert axes.get_xlim()[0] == 0


def test_nothing_to_draw_is_an_empty_plot_that_says_so():
    assert "1 without figures" in figures.plot(RESULTS[2:], "time", "Time").get_suptitle()
