import re

import matplotlib.pyplot as plt
import pytest

from benchmarks.gauge.readings import MemoryRun, Series, TimeRun
from benchmarks.report import memory_plots as series_plots
from benchmarks.report import plots, result_tables
from benchmarks.report.families import FAMILIES
from benchmarks.report.table import Amount, Table
from benchmarks.results.quantities import QUANTITIES
from benchmarks.results.result import Result
from benchmarks.tasks.task import Method
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


def test_the_unit_of_a_column_stands_in_its_heading():
    table = result_tables.of_results(RESULTS)
    assert table.headings[:4] == ("method", "time (ms)", "range of time (ms)", "peak (MiB)")
    assert table.texts[1] == (
        "get_fdata",
        "~1\N{NARROW NO-BREAK SPACE}100",
        "1\N{NARROW NO-BREAK SPACE}000 to 1\N{NARROW NO-BREAK SPACE}200",
        "500",
        "0",
        "5.0",
    )
    assert table.texts[2][:2] == ("broken", "raised")


METHODS = [
    Method("nibabel_load", len, "", "", family="nibabel"),
    Method("get_fdata", len, "", "", family="recommended"),
]


def test_the_least_is_marked_with_what_the_runs_cannot_tell_from_it():
    near = [result("one", [1.0, 1.1, 1.2], 50), result("two", [1.15, 1.3, 1.4], 50.05)]
    far = [*near, result("three", [1.3, 1.4, 1.5], 60)]
    methods = [Method(name, len, "", "") for name in ("one", "two", "three")]
    table = result_tables.of_results(far, methods)
    assert [row[1].least for row in table.rows] == [True, True, False]
    assert [row[3].least for row in table.rows] == [True, True, False]
    # Methods that return something else do something else; alone, none is the least.
    apart = [Method(name, len, "", "", group) for group, name in enumerate(("one", "two"))]
    assert not any(row[1].least for row in result_tables.of_results(near, apart).rows)
    assert not any(row[1].least for row in result_tables.of_results(near).rows)


def test_a_page_has_families_spread_and_legend():
    markup = result_tables.of_results(RESULTS, METHODS).html("file & machine", identity="here")
    assert "file &amp; machine" in markup
    assert 'id="here"' in markup
    assert "◆</span> recommended" in markup
    assert '<span class="said"> (nibabel)</span>' in markup
    assert markup.count("<svg") == 2
    assert "on a logarithmic scale" in markup
    assert 'data-value="1.1"' in markup


def test_a_spread_lies_within_its_drawing():
    markup = result_tables.of_results([RESULTS[1], result("other", [0.9, 1.3], 4)]).html("")
    places = [
        float(x) for x in re.findall(r'[MH](\d+\.?\d*)|cx="([^"]+)"', markup) for x in x if x
    ]
    assert places
    assert all(0 <= place <= 96 for place in places)
    assert "from zero on" in markup


def test_no_text_of_a_table_is_markup():
    table = Table(("<a>", "<b>"), (("<script>", Amount("<i>", 1.0)),))
    markup = table.html("<caption>", classes=['"'])
    assert not re.search("<(script|i|a|b)>", markup)
    assert "&lt;caption&gt;" in markup


def test_what_is_to_be_said_of_a_row_stands_below():
    blurred = Result(
        "load",
        "blurred",
        time_runs=(TimeRun(1, 1, 0),),
        memory_runs=(MemoryRun(9 * MIB, 0, 0, 0, 9 * MIB),),
    )
    said = [
        text.replace("\N{NO-BREAK SPACE}", " ")
        for text in result_tables.remarks([*RESULTS, blurred])
    ]
    assert said[1:] == [
        "get_fdata: noisy time, the runs took 1.00 to 1.20 s; no reason was seen.",
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
    published = {"nibabel_load": {"wall_seconds": 0.00122, "increment_bytes": 262144}}
    table = result_tables.of_results(RESULTS, published=published)
    assert table.headings[-2:] == (
        "time (ms), as published",
        "peak (MiB), as published",
    )
    assert "–" not in table.texts[0][-2:]
    assert table.texts[1][-2:] == ("–", "–")


def test_a_note_is_one_line_with_figures_or_the_reason():
    assert RESULTS[0].note().replace("\N{NO-BREAK SPACE}", " ") == ("time 1.50 ms, peak 0.00 MiB")
    assert RESULTS[2].note() == "raised ValueError: x"


def test_every_run_is_drawn_and_the_title_says_what_is_missing():
    figure = plots.plot(RESULTS, "time", "Time of each way")
    (axes,) = figure.axes
    assert figure.get_suptitle() == "Time of each way (1 without figures)"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["nibabel_load", "get_fdata"]
    assert [len(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"] == [3, 3]
    assert axes.get_xscale() == "log"


def test_families_have_their_colour_and_shape_in_plots():
    names = {"nibabel_load": "nibabel", "get_fdata": "recommended"}
    figure = plots.plot(RESULTS, "time", "Time", names)
    (axes,) = figure.axes
    drawn = {(line.get_marker(), line.get_color()) for line in axes.lines if len(line.get_xdata())}
    for name in names.values():
        assert (FAMILIES[name].marker, FAMILIES[name].colour) in drawn
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["recommended", "nibabel"]


def test_memory_is_drawn_in_mebibytes_also_where_there_is_none():
    (axes,) = plots.plot(RESULTS, "peak", "Peak").axes
    assert axes.get_xscale() == "log"
    assert max(axes.lines[2].get_xdata()) == 500
    assert min(axes.lines[0].get_xdata()) > 0


def test_values_that_are_close_are_drawn_from_nothing():
    (axes,) = plots.plot([RESULTS[1], result("other", [1.3], 400)], "time", "Time").axes
    assert axes.get_xscale() == "linear"
    assert axes.get_xlim()[0] == 0


def test_nothing_to_draw_is_an_empty_plot_that_says_so():
    assert "1 without figures" in plots.plot(RESULTS[2:], "time", "Time").get_suptitle()


def test_every_row_of_a_growth_is_drawn_however_many_there_are():
    points = {f"row {n}": [[1.0], [2.0]] for n in range(6)}
    lines = dict.fromkeys(points, (0.0, 1.0))
    figure = plots.plot_growth([1, 2], points, lines, ("x", "y"), "Growth")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(points)
    looks = {(line.get_marker(), line.get_linestyle()) for line in axes.lines[:12]}
    assert len(looks) > 4


@pytest.mark.parametrize(
    ("quantity", "value", "text"),
    [("peak", 1000, "1 000 MiB"), ("peak", 0.1, "0.1 MiB"), ("time", 0.2, "200 ms")],
)
def test_ticks_are_round_numbers_in_one_unit(quantity, value, text):
    written = plots._tick(QUANTITIES[quantity], value)
    assert re.sub(r"\s", " ", written) == text
    assert plots._tick(QUANTITIES["time"], 1.5) == "1.5\N{NO-BREAK SPACE}s"


@pytest.mark.parametrize(
    ("value", "text"), [(-1000, "0"), (0.5 * MIB, "0.50"), (-5 * MIB, "-5.00"), (0, "0")]
)
def test_memory_in_a_column_is_zero_where_the_gauge_sees_nothing(value, text):
    assert QUANTITIES["kept"].write_in(MIB, value) == text
