import dataclasses
import re

import matplotlib.pyplot as plt
import pytest

from benchmarks.gauge.readings import MemoryRun, Series, TimeRun
from benchmarks.report import memory_plots as series_plots
from benchmarks.report import plots, result_tables
from benchmarks.report.families import FAMILIES
from benchmarks.report.table import Amount, Label, Table
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


RUN_OF_TWO = MemoryRun(500 * MIB, 0, 0, series=Series(processes=(1, 2)))

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


def test_where_all_need_nothing_none_is_the_least():
    none = [result(name, [1.0], 0) for name in ("one", "two")]
    methods = [Method(name, len, "", "") for name in ("one", "two")]
    assert not any(row[3].least for row in result_tables.of_results(none, methods).rows)
    some = [none[0], result("two", [1.0], 5)]
    assert [row[3].least for row in result_tables.of_results(some, methods).rows] == [True, False]


def test_the_least_possible_stands_below_what_it_bounds():
    near = [dataclasses.replace(one, least_seconds=0.5, least_bytes=MIB) for one in RESULTS[:2]]
    table = result_tables.of_results(near)
    row = dict(zip(table.headings, table.texts[-1], strict=True))
    assert (row["time (ms)"], row["peak (MiB)"]) == ("500", "1.00")
    # Nothing is known of the least of the others.
    others = {row[heading] for heading in table.headings[2:] if "peak" not in heading}
    assert others == {"\N{EN DASH}"}


def test_all_memory_stands_beside_the_peak_where_there_are_workers():
    one, program = (
        dataclasses.replace(RESULTS[1], method=name, memory_runs=(RUN_OF_TWO,))
        for name in ("workers", "program")
    )
    methods = [Method("workers", len, "", ""), Method("program", len, "", "", program="wc")]
    assert "all memory (MiB)" in result_tables.of_results([one, program], methods).headings
    # A program that a method starts and waits for is no worker of it.
    assert "all memory (MiB)" not in result_tables.of_results([program], methods).headings


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


BLURRED = Result(
    "load",
    "blurred",
    time_runs=(TimeRun(1, 1, 0),),
    memory_runs=(MemoryRun(9 * MIB, 0, 0, 0, 9 * MIB),),
)


def test_a_figure_to_be_taken_with_care_has_a_mark_that_opens_to_the_reason():
    table = result_tables.of_results([*RESULTS, BLURRED])
    assert [row[1].text for row in table.rows if getattr(row[1], "remark", "")][1:] == [
        "1\N{NARROW NO-BREAK SPACE}100",
        "raised",
    ]
    markup = table.html("").replace("\N{NO-BREAK SPACE}", " ")
    for words in (
        "Noisy time, the repeats took 1.00 to 1.20 s; no reason was seen.",
        "Raised ValueError: x.",
        "The peak lies in 0.00 to 9.00 MiB.",
    ):
        assert f'title="{words}"' in markup
        assert f"popover><span>{words}</span>" in markup
    assert '" aria-label="uncertain">~</button>' in markup
    assert '">raised</button>' in markup
    opened, told = (re.findall(f'{name}="([^"]+)"', markup) for name in ("popovertarget", "id"))
    assert opened == told
    assert len(set(opened)) == len(opened) == 4
    # Those of another table on the same page are others.
    assert not set(opened) & set(re.findall(' id="([^"]+)"', table.html("Another.")))


def test_a_verdict_is_a_sign_with_its_word():
    table = Table(("statement", "1.0"), (("It is.", Label("holds", "✓")),))
    assert table.texts == [("It is.", "holds")]
    markup = table.html("Verdicts.")
    assert "<caption>Verdicts. ✓ holds.</caption>" in markup
    assert '<span aria-hidden="true">✓</span><span class="said">holds</span>' in markup


def test_what_is_to_be_said_of_a_row_stands_below():
    said = [
        text.replace("\N{NO-BREAK SPACE}", " ")
        for text in result_tables.remarks([*RESULTS, BLURRED])
    ]
    assert said[1:] == [
        "get_fdata: noisy time, the repeats took 1.00 to 1.20 s; no reason was seen.",
        "broken: raised ValueError: x.",
        "blurred: the peak lies in 0.00 to 9.00 MiB.",
    ]


def test_memory_over_time_is_drawn_with_the_looks_at_it():
    series = Series((0.05, 0.1, 0.2, 0.31), (0, MIB, 5 * MIB, 0), (0,) * 4, (0,) * 4, (1,) * 4)
    (axes,) = series_plots.plot_looks(series, 0.1, "Memory").axes
    line, dots = axes.lines
    assert max(line.get_ydata()) == 5
    assert list(dots.get_ydata()) == [0, 1, 5, 0]


def test_published_figures_stand_beside_ours():
    published = {
        "load.nibabel_load": {"wall_seconds": 0.00122, "increment_bytes": 262144},
        "load.get_fdata": {"wall_seconds": None, "increment_bytes": 4127824282},
        "load.broken": {"wall_seconds": 1.0, "increment_bytes": 0},
    }
    table = result_tables.of_published(dict(zip(published, RESULTS, strict=True)), published)
    assert table.headings == ("method", "time", "as published", "peak", "as published")
    assert [[re.sub(r"\s", " ", text) for text in row] for row in table.texts] == [
        ["load.nibabel_load", "1.50 ms", "1.22 ms", "0 MiB", "0.25 MiB"],
        ["load.get_fdata", "1.10 s", "–", "500 MiB", "3.84 GiB"],
        ["load.broken", "–", "1.00 s", "–", "0 MiB"],
    ]


def test_a_note_is_one_line_with_figures_or_the_reason():
    assert RESULTS[0].note().replace("\N{NO-BREAK SPACE}", " ") == ("time 1.50 ms, peak 0.00 MiB")
    assert RESULTS[2].note() == "raised ValueError: x"


def test_every_run_is_drawn_and_the_title_says_what_is_missing():
    figure = plots.plot(RESULTS, "time", "Time of each method")
    (axes,) = figure.axes
    assert figure.get_suptitle() == "Time of each method (1 without figures)"
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
    lines = dict.fromkeys(points, (0.0, 0.0, 1.0))
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


def test_a_printed_table_is_no_wider_than_a_page_and_keeps_names_and_figures_whole():
    figure = Amount("1\N{NARROW NO-BREAK SPACE}000 → 1\N{NARROW NO-BREAK SPACE}100", 1.0)
    name = "extract_volume.volume_indexed_gzip"
    headings = ("method", *(f"with_a_heading_{n}" for n in range(6)))
    lines = Table(headings, ((name, *[figure] * 6),)).text().splitlines()
    assert max(map(len, lines)) <= 98
    assert any(line.startswith(f"{name} ") for line in lines)
    text = "\n".join(lines)
    assert text.count("1\N{NO-BREAK SPACE}000") == text.count("1\N{NO-BREAK SPACE}100") == 6
    assert text.count("heading_") == 6
    assert "with_a" in Table(headings[:3], ((name, figure, figure),)).text()
