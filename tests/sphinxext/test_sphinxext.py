import html
import io
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import small_site
import sphinx
from sphinx.application import Sphinx
from sphinx.errors import ConfigError
from sphinx.util.docutils import docutils_namespace, patch_docutils

from benchmarks import compare, files
from benchmarks.__main__ import main
from benchmarks.gauge.readings import Series
from benchmarks.images import variants
from benchmarks.images.workspace import Workspace
from benchmarks.releases import environments
from benchmarks.releases.environments import Release
from benchmarks.results.result import Result, Status
from benchmarks.results.store import Store
from benchmarks.runner.known_calls import Known
from benchmarks.runner.self_check import Check
from benchmarks.sphinxext import machines, measurements, original, pages
from benchmarks.sphinxext import roofline as rates
from benchmarks.tasks import chapter
from benchmarks.tasks import task as task_module
from benchmarks.tasks.chapter import About, Need
from benchmarks.units import MIB

EXAMPLE = """
import time
import nibabel as nib

def quick(fmri_path):
    return nib.load(fmri_path)

def slow(fmri_path):
    time.sleep(0.2)
    return nib.load(fmri_path)

def number(fmri_path):
    return 3

def outside(fmri_path):
    return 3

PROGRAMS = {"outside": "a-program-of-this-test"}
METHODS = [[quick, slow], [number, outside]]
"""

TASKS = {"small": About({"": Need(converted=True, arrays=1), "number": None})}

PAGE = """
Title
=====

It took :measured:`small.slow.time`, or :ratio:`small.slow.time / small.quick.time` times.

.. measurements:: small

.. claim:: small
   :faster: quick
   :than: slow
   :at-least: 2

   Quick is twice as fast.

.. provenance::
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Measure a small task once for all tests here."""
    folder = tmp_path_factory.mktemp("measured")
    with (
        small_site.measuring(folder, EXAMPLE) as (fmri_path, (quick, slow, number)),
        pytest.MonkeyPatch.context() as patch,
    ):
        compare([quick, slow], fmri_path, runs=2)
        compare([number], fmri_path, runs=1, timed=False)
        compare([[number], [quick]], fmri_path, runs=1, form="nii")
        for name in ("short", *variants.LONGER):
            compare([quick], fmri_path, runs=2, form=name)
        patch.setattr(chapter, "TASKS", TASKS)
        patch.setattr(chapter, "SHOWN_WITH", "small")
        for name in ("nii", "nii_gz"):
            compare([quick], fmri_path, runs=1, form=name)
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch, measured):
    """Return a function that builds a small site with one measured task."""
    source = small_site.entered(measured, tmp_path, monkeypatch)

    def build(page=None, parallel=1, builder="html", **settings):
        if page is not None:
            (source / "index.rst").write_text(page)
        warnings = io.StringIO()
        status = io.StringIO()
        with patch_docutils(str(source)), docutils_namespace():
            app = Sphinx(
                source,
                None,
                tmp_path / builder,
                tmp_path / "doctrees",
                builder,
                confoverrides={
                    "extensions": ["benchmarks.sphinxext.chapter"],
                    "measured_claims_file": str(tmp_path / "claims.json"),
                    "html_theme": "basic",
                }
                | settings,
                status=status,
                parallel=parallel,
                warning=warnings,
            )
            app.build()
        text = re.sub("\x1b\\[[0-9;]*m", "", warnings.getvalue())
        name = {"html": "index.html", "text": "index.txt", "latex": "figures.tex"}[builder]
        return (tmp_path / builder / name).read_text(), text, status.getvalue()

    yield build
    task_module.task_named.cache_clear()


def change(method, **changes):
    """Change a stored result as another measurement would."""
    store = Workspace.chosen().store
    store.put(replace(store.get("small", method), **changes))


def test_figures_tables_claims_and_provenance_are_in_the_page(project):
    page, warnings, _ = project(PAGE)
    assert warnings == ""
    assert re.search(r"It took <span class=\"figure\">2\d\d\xa0ms</span>", page)
    assert page.count("<tr") == 4
    assert "Holds here: measured" in page
    assert "claimed at least 2." in page
    assert "8 x 7 x 6 x 5 voxels" in page
    assert "nibabel" in page


def test_a_second_build_reads_nothing_again_and_another_measurement_does(project):
    first, _, _ = project(PAGE)
    _, _, status = project()
    assert "0 added, 0 changed" in status
    change("slow", time_runs=tuple(_times(7.0)))
    page, warnings, _ = project()
    assert warnings == ""
    assert page != first
    assert "7.00\xa0s" in page


def test_a_results_file_restored_with_an_older_time_is_noticed(project):
    import os

    project(PAGE)
    path = Workspace.chosen().store.path
    path.write_text(path.read_text().replace('wall_seconds": 0.2', 'wall_seconds": 9.2'))
    os.utime(path, (1, 1))
    page, _, _ = project()
    assert "9.2" in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (":measured:`small.missing.time`", "it has: quick, slow, number"),
        (":measured:`other.slow.time`", "There is no task 'other'; there are: small"),
        (":measured:`small.slow.speed`", "no such quantity"),
        (":measured:`small.slow.time / small.quick.time`", "is not one quantity"),
        (":ratio:`small.slow.time`", "is not a ratio of quantities"),
        (".. measurements:: other", "There is no task"),
        (".. claim:: small\n   :faster: quick\n   :at-least: 2\n\n   Text.", "the option than"),
        (".. claim::\n   :at-least: 2\n\n   Text.", "one of the options"),
        (".. claim::\n   :value: small.slow.time\n\n   Text.", "needs a bound"),
    ],
)
def test_a_figure_that_is_not_there_is_a_warning_in_every_build(project, text, message):
    for page in (f"Title\n=====\n\n{text}\n", None):
        markup, warnings, _ = project(page)
        assert message in warnings
        if sphinx.version_info >= (8,):  # older releases show no types, unless they are asked to
            assert "measured.figure" in warnings
        assert "index.rst:4" in warnings
        assert "figure-missing" in markup


def test_what_is_stale_or_unmeasured_names_the_command(project):
    change("slow", source_sha256="of other code")
    _, warnings, _ = project(PAGE)
    assert (
        "small.slow was measured on bold.nii.gz before its code changed. Measure it with: make"
        in warnings
    )
    Workspace.chosen().store.path.unlink()
    _, warnings, _ = project()
    assert "small.slow is not measured on" in warnings


def test_a_failed_method_shows_its_reason_and_has_no_figures(project):
    change(
        "slow",
        status=Status.RAISED,
        message="raised ValueError: <b>",
        time_runs=(),
        memory_runs=(),
    )
    page, warnings, _ = project(PAGE)
    assert "small.slow has no figures: raised ValueError: &lt;b&gt;" in page
    assert "has no figures" in warnings


def plain(page):
    return re.sub(r"<[^>]+>", "", page).replace("\xa0", " ")


def test_a_snippet_has_the_code_and_in_one_line_what_it_takes(project):
    change("slow", time_runs=(*_times(0.2), *_times(0.25), *_times(0.3)))
    page, warnings, _ = project("T\n=\n\n.. snippet:: small.slow\n\n.. snippet:: small.number\n")
    assert warnings == ""
    text = plain(page)
    assert "import time\n\nimport nibabel as nib\n\n\n" in text
    assert "def slow(fmri_path):\n    time.sleep(0.2)" in text
    assert re.search(r"\n250 ms, [\d.]+ MiB \(200 to 300 ms[^)]*\)\n", text)
    assert "\nReturns 3\n" in text
    assert "%time" not in text
    assert "slow(fmri_path)\n" not in text


def test_a_snippet_of_workers_says_what_they_need_together(project):
    before = Workspace.chosen().store.get("small", "slow").memory_runs[0]
    series = Series((0.1,), (MIB,), (0,), (0,), (3,))
    run = replace(before, peak_bytes=MIB, baseline_bytes=299 * MIB, series=series)
    change("slow", memory_runs=(run,))
    page, _, _ = project("T\n=\n\n.. snippet:: small.slow\n")
    assert re.search(r"\n2\d\d ms, 300 MiB with its workers", plain(page))


def test_parts_and_the_same_on_several_files_are_tables(project):
    page, warnings, _ = project(
        "T\n=\n\n.. parts:: small\n   :methods: slow\n\n"
        ".. measurements:: small\n   :forms: nii\n   :quantity: peak\n\n"
        "It took :measured:`small@nii.quick.time`.\n"
    )
    assert warnings == ""
    assert "/dev/shm" in page
    assert "crossed" in page
    assert re.search(r"It took [\d.]+ [mµ]s", plain(page))


def test_rates_limits_and_growth_are_tables(project, monkeypatch):
    monkeypatch.setattr(chapter, "TASKS", TASKS)
    monkeypatch.setattr(rates, "SHOWN_WITH", "small")
    page, warnings, _ = project("""
.. rates::

.. roofline::

   small@nii.quick
   small@nii_gz.quick

.. growth:: small
   :methods: quick

.. growth:: small
   :methods: quick quick
   :workers: 1 2
   :quantity: time

.. measurements:: small@nii
   :methods: number quick

It took :measured:`small@nii.quick.times_least`.
""")
    assert warnings == ""
    text = html.unescape(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")))
    assert re.search(r"unpacking with isal\s+–\s+\d", text)
    assert re.search(r"packing float32 with isal\s+\d", text)
    assert re.search(r"small@nii.quick\s+reading from the page cache [\d.]+\s.s \+ [a-z]", text)
    assert re.search(r"small@nii_gz.quick\s+unpacking with isal [\d.]+\s.s \+ [a-z]", text)
    assert "MiB for each MiB of raw size" in text
    assert "ms for each worker" in text
    assert re.search(r"least possible\s+[\d.]+", text)
    assert "x limit" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".. growth:: small\n   :quantity: speed", "no growth of 'speed'; there are: time, peak"),
        (".. growth:: small\n   :methods: slow", "small@x2.slow is not measured"),
        (
            ".. growth:: small\n   :methods: quick\n   :workers: 1 2",
            "2 numbers of workers, 1 methods",
        ),
        (
            ".. growth:: small\n   :images:\n   :methods: quick",
            "small@images2.quick is not measured",
        ),
        (".. roofline::\n\n   small.number", "small.number has no limit, or none yet"),
        (".. extrapolation:: many", "'many' are no numbers of runs"),
        (".. extrapolation:: 10", "There is no task 'many_images'; there are: small"),
    ],
)
def test_what_is_not_bounded_is_a_sentence(project, monkeypatch, text, message):
    monkeypatch.setattr(chapter, "TASKS", TASKS)
    _, warnings, _ = project(text)
    assert message in warnings


def test_a_rate_that_cannot_be_had_is_a_dash(project, monkeypatch, tmp_path):
    monkeypatch.setattr(chapter, "TASKS", TASKS)
    monkeypatch.setattr(rates, "SHOWN_WITH", "small")
    for path in (tmp_path / "results").glob("*.json"):
        content = json.loads(path.read_bytes())
        for entry in content["results"]:
            if entry["method"] == "read_cold":
                entry |= {"status": "raised", "time_runs": []}
        path.write_text(json.dumps(content))
    page, warnings, _ = project(".. rates::")
    assert warnings == ""
    text = re.sub(r"<[^>]+>", " ", page)
    assert re.search(r"reading from the disk\s+–\s+–", text)


def test_the_programs_that_methods_start_stand_with_the_provenance(project, monkeypatch, tmp_path):
    program = tmp_path / "bin" / "a-program-of-this-test"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho version 4.5.6\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    task_module.task_named.cache_clear()
    page, _, _ = project("Title\n=====\n\n.. provenance::")
    assert "a-program-of-this-test 4.5.6" in page


def test_what_needs_an_absent_program_is_left_out(project):
    page, warnings, _ = project("""
.. measurements:: small
   :methods: number outside

.. claim:: small
   :faster: quick
   :than: outside
   :at-least: 1

   Quick is faster.
""")
    assert warnings == ""
    assert "outside" not in re.sub(
        r"<[^>]+>", " ", page.partition("<table")[2].partition("</tab")[0]
    )
    assert "or about what is not installed" in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".. snippet:: small.missing", "has no method 'missing'"),
        (".. parts:: small@mp3", "There is no form 'mp3'"),
        (":measured:`small@nii_gz.number.time`", "no run of this method has finished"),
        (":measured:`small@float32_nii.quick.time`", "is not measured"),
        (".. measurements:: small\n   :forms: nii\n   :quantity: speed", "no quantity 'speed'"),
        (".. measurements:: small\n   :forms: mp3", "There is no form 'mp3'"),
    ],
)
def test_what_is_not_there_is_a_sentence(project, text, message):
    _, warnings, _ = project(f"T\n=\n\n{text}\n")
    assert message in warnings


@pytest.mark.parametrize(("told", "verdict"), [("3", "Holds here"), ("4", "Contradicted here")])
def test_a_claim_may_say_what_a_method_returns(project, told, verdict):
    claim = f"T\n=\n\n.. claim::\n   :value: small.number.value\n   :is: {told}\n\n   Three.\n"
    for page in (claim, None):
        markup, warnings, _ = project(page)
        assert warnings == ""
        assert f"{verdict}: measured 3, claimed {told}." in markup


JOINED = """
Title
=====

.. claim::
   :value: small.number.value
   :is: 3

   First of a section.

Before it
stands this.

.. a comment, which nobody sees

.. claim:: small
   :faster: quick
   :than: slow
   :at-least: 2

   The ``quick`` one is *twice* as fast.

.. claim::
   :value: small.number.value
   :is: 4

   It is four.

After it.

.. measurements:: small

.. claim::
   :value: small.number.value
   :is: 3

   Behind a table.

.. snippet:: small.slow

.. claim::
   :value: small.number.value
   :is: 3

   Behind code.
"""


def paragraphs(page):
    """Return the paragraphs of a page, without what marks open to."""
    page = re.sub(r'<span class="note".*?</span></span>', "", page)
    found = re.findall(r"<p>(.*?)</p>", page, re.DOTALL)
    return [re.sub(r"\s+", " ", plain(text)).strip() for text in found]


def test_a_claim_ends_the_paragraph_before_it_and_else_begins_one(project):
    page, warnings, _ = project(JOINED)
    assert warnings == ""
    assert paragraphs(page) == [
        "First of a section. ✓",
        "Before it stands this. The quick one is twice as fast. ✓ It is four. ✗ contradicted",
        "After it.",
        "Behind a table. ✓",
        "Behind code. ✓",
    ]
    assert "claim-alone" not in page


def test_the_mark_of_a_claim_opens_to_value_bound_and_runs_without_a_script(project):
    page, _, _ = project(JOINED)
    places = re.findall(r'popovertarget="(claim-[^"]+)"', page)
    assert len(set(places)) == len(places) == 5
    for place in places:
        assert page.count(f' id="{place}" popover>') == 1
    note = plain(re.search(rf' id="{places[1]}" popover>(.*?)</span></span>', page)[1])
    assert re.match(
        r"Holds here: measured [\d\s]+ \(.* to .*\), claimed at least 2\. The ratio", note
    )
    assert "The ratio is small.slow.time / small.quick.time. small.slow.time: " in note
    assert re.search(r"small\.slow\.time: 2\d\d ms \((2\d\d to 2\d\d ms in )?2 repeats\)", note)
    assert re.search(r"small\.quick\.time: [\d.]+ .s \(.*\d+ repeats\)", note)


def test_a_claim_does_not_join_what_stands_for_an_absent_figure(project):
    page, _, _ = project(JOINED.replace(".. measurements:: small", ".. measurements:: other"))
    assert re.search(r'"figure-missing">\[[^<]*</p>\s*<p><span class="claim claim-holds">', page)


@pytest.mark.parametrize("builder", ["text", "latex"])
def test_other_builders_have_the_verdict_in_brackets(project, builder):
    page, warnings, _ = project(JOINED, builder=builder, project="figures")
    assert warnings == ""
    text = re.sub(r"\\DUrole\{[\w,-]+\}|[\\{}]", "", page)
    text = re.sub(r"[\s~\xa0]+", " ", text)
    assert re.search(
        r"as fast\. ?\[Holds here: measured [\d\s]+ \(.*?, claimed at least 2\.\] It", text
    )
    assert "It is four. [Contradicted here: measured 3, claimed 4.]" in text


def test_a_claim_is_one_paragraph(project):
    _, warnings, _ = project(JOINED.replace("It is four.", "It is four.\n\n   Or more."))
    assert "The statement of a claim has to be one paragraph" in warnings


def test_a_claim_about_others_says_about_whom(project):
    page, _, _ = project(PAGE.replace("   :at-least", "   :nilearn: <0.5\n   :at-least"))
    assert "it is about nilearn &lt;0.5" in page


def test_a_contradicted_claim_is_shown_reported_and_no_warning(project):
    false = PAGE.replace(":at-least: 2", ":at-least: 100000000")
    for page in (false, None):
        markup, warnings, status = project(page)
        assert "claim-contradicted" in markup
        assert "Contradicted here: measured" in markup
        assert "contradicted: Quick is twice as fast." in status
        assert warnings == ""


def test_a_claim_about_other_releases_says_so(project):
    page, _, _ = project(PAGE.replace(":at-least: 2", ":at-least: 2\n   :nilearn: <0.1"))
    assert "Not about this file, or about what is not installed" in page


def test_a_method_that_is_unknown_is_a_warning_whatever_releases_a_claim_is_about(project):
    wrong = PAGE.replace("   :at-least: 2", "   :at-least: 2\n   :nilearn: <0.1")
    _, warnings, _ = project(wrong.replace("small.quick.time", "small.gone.time"))
    assert "gone" in warnings


def test_a_recipe_that_is_not_there_is_a_warning_until_it_is(project):
    for page in ("T\n=\n\n.. recipe:: small.gone\n", None):
        _, warnings, _ = project(page)
        assert "gone" in warnings


def test_pages_read_in_parallel_keep_their_figures(project, tmp_path):
    for number in range(8):
        (tmp_path / "source" / f"page{number}.rst").write_text(":orphan:\n\n" + PAGE)
    _, warnings, _ = project(PAGE, parallel=2)
    assert warnings == ""
    claims = json.loads((tmp_path / "claims.json").read_text())
    assert len(claims) == 9


def test_a_page_that_is_gone_takes_its_claims_along(project, tmp_path):
    extra = tmp_path / "source" / "extra.rst"
    extra.write_text(":orphan:\n\n" + PAGE)
    project(PAGE)
    extra.unlink()
    project()
    assert len(json.loads((tmp_path / "claims.json").read_text())) == 1


def test_a_file_that_is_unfit_ends_the_build_with_a_sentence(project, monkeypatch, tmp_path):
    monkeypatch.setenv("FMRI", str(tmp_path / "missing.nii"))
    with pytest.raises(ConfigError, match="does not exist"):
        project(PAGE)


def test_a_diagram_is_drawn_into_the_page_with_a_label(project):
    import shlex
    import sys

    page, warnings, _ = project(
        'T\n=\n\n.. mermaid::\n   :alt: From "a" to b.\n\n   flowchart LR\n       a --> b\n',
        mermaid_cmd=shlex.join([sys.executable, "-m", "mermaidx"]),
    )
    assert warnings == ""
    assert '<svg role="img" aria-label="From &quot;a&quot; to b."' in page
    assert "<object" not in page


def test_an_inventory_is_made_of_a_list(project, tmp_path):
    from sphinx.util.inventory import InventoryFile

    lists = tmp_path / "source" / "_inventories"
    lists.mkdir()
    (lists / "nibabel.txt").write_text("nibabel.load py:function 1 page.html#$ -\n")
    project(PAGE)
    made = tmp_path / "source" / "_build" / "inventories" / "nibabel.inv"
    with made.open("rb") as file:
        inventory = InventoryFile.load(file, "https://site", lambda base, end: f"{base}/{end}")
    found = inventory["py:function"]["nibabel.load"]
    address = found[2] if isinstance(found, tuple) else found.uri  # a tuple in older releases
    assert address == "https://site/page.html#nibabel.load"


def _times(seconds):
    from benchmarks.gauge.readings import TimeRun

    return [TimeRun(seconds, seconds, 0.0)]


@pytest.fixture
def check(project, tmp_path, monkeypatch):
    """Return a function that builds a page and runs the command that judges its claims."""
    from click.testing import CliRunner

    monkeypatch.setattr(files, "CLAIMS", tmp_path / "claims.json")
    monkeypatch.setattr(files, "DOC", tmp_path / "source")
    monkeypatch.setattr(files, "EXAMPLES", tmp_path / "examples")

    def run(page):
        project(page)
        return CliRunner().invoke(main, ["check"])

    return run


def test_the_check_command_prints_verdict_value_and_bound(check):
    answer = check(PAGE)
    assert answer.exit_code == 0, answer.output
    assert "HOLDS  index, line 9: Quick is twice as fast." in answer.output
    assert "small.slow.time / small.quick.time: measured" in answer.output
    assert "claimed at least 2\n" in answer.output
    assert answer.output.endswith("1 holds\n")


def test_the_check_command_fails_on_a_contradicted_claim(check):
    answer = check(PAGE.replace(":at-least: 2", ":at-least: 100000000"))
    assert answer.exit_code == 1
    assert "CONTRADICTED" in answer.output


def test_a_page_newer_than_the_collected_claims_is_refused(check, tmp_path):
    import os

    check(PAGE)
    os.utime(tmp_path / "claims.json", (1, 1))
    from click.testing import CliRunner

    answer = CliRunner().invoke(main, ["check"])
    assert "Run: make html" in str(answer.exception)


def test_nothing_measured_has_no_provenance(project):
    assert isinstance(Workspace.chosen().store, Store)
    Workspace.chosen().store.path.unlink()
    _, warnings, _ = project("T\n=\n\n.. provenance::\n")
    assert "Nothing is measured yet" in warnings


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def test_a_method_that_is_too_large_is_shown_as_such_and_the_build_goes_on(project):
    message = "needs about 12.0 GiB, and 8.0 GiB may be used, so that it was not run"
    change("slow", status=Status.TOO_LARGE, message=message, time_runs=(), memory_runs=())
    page, warnings, _ = project(PAGE + "\n.. parts:: small\n\n.. snippet:: small.slow\n")
    assert warnings == ""
    assert "[small.slow has no figures: needs about 12.0 GiB" in plain(page)
    assert ">needs about 12.0 GiB</button>" in page
    assert "No figures: needs about 12.0 GiB" in plain(page)
    assert "claim-elsewhere" in page


def test_nothing_that_is_stored_becomes_part_of_a_pages_code(project):
    change("slow", status=Status.RAISED, message=HOSTILE)
    page, _, _ = project("T\n=\n\n.. measurements:: small\n\n.. snippet:: small.slow\n")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def small_files(method):
    """Store what small files took, as if it had been measured."""
    from benchmarks.gauge.readings import MemoryRun, TimeRun
    from benchmarks.prediction import cost_model
    from benchmarks.prediction import small_files as sizes

    workspace = Workspace.ready()
    for name, small in sizes.planned(workspace.image, sizes.USUAL).items():
        seconds, peak = small.voxels * small.volumes * 1e-9, small.raw_bytes
        runs = {
            "time_runs": (TimeRun(seconds, 0.0, 0.0),),
            "memory_runs": (MemoryRun(peak, 0, 0),),
        }
        workspace.small_files().put(Result(cost_model.name("small", name), method, **runs))


def test_a_calculator_rests_on_the_small_files_of_this_machine_and_escapes_their_names(project):
    page, warnings, _ = project("T\n=\n\n.. calculator::\n")
    assert warnings == ""
    assert "Peaks are those of small files on another machine" in page
    small_files(HOSTILE)
    page, warnings, _ = project()
    assert warnings == ""
    assert "The figures rest on what small files took on this machine" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    content = json.loads(re.search(r'application/json">(.*?)</script>', page)[1])
    assert {m["method"] for m in content["methods"]["int16_nii_gz"]} == {HOSTILE}
    assert 'src="_static/calculator.js' in page
    other, _, _ = project("T\n=\n\nNothing measured.\n")
    assert "calculator.js" not in other


@pytest.fixture
def two_releases(project, monkeypatch):
    """Let nilearn 1.1 be ten times as fast with one method; the newest is measured twice."""
    monkeypatch.setattr(chapter, "TASKS", {"small": About(released="")})
    found = Workspace.chosen().store
    results = [found.get("small", name) for name in ("quick", "slow")]
    names = {"a": ("1.0", 1.0), "b": ("1.1", 0.1), "c": ("1.1", 0.1)}
    made = tuple(Release(*[""] * 2, name) for name in names)
    monkeypatch.setattr(environments, "RELEASES", made)
    for release, (version, factor) in zip(made, names.values(), strict=True):
        packages = found.provenance.packages | {"nilearn": version, "nibabel": "5"}
        opened = Store(release.results, found.data, replace(found.provenance, packages=packages))
        quick, slow = results
        runs = [replace(run, wall_seconds=run.wall_seconds * factor) for run in slow.time_runs]
        opened.put(quick, replace(slow, time_runs=tuple(runs)))
    pages.across.cache_clear()
    pages.digest.cache_clear()
    yield project
    pages.across.cache_clear()
    pages.digest.cache_clear()


ACROSS = """
Title
=====

.. changes::

.. across:: small
   :quantity: time

.. claims-across::

.. claim::
   :value: small.slow.time / small.quick.time
   :at-least: 20
   :nilearn: >=1.0,<1.1

   Slow was slow.

.. claim::
   :value: small.slow.whole
   :at-most: 1
   :nilearn: >=1.0,<1.1

   All memory was next to nothing.

.. claim::
   :value: small.slow.time
   :changed-in: 1.1

   It changed.

.. claim::
   :value: small.quick.time
   :changed-in: no release

   It never did.

.. claim::
   :value: small.slow.time
   :at-least: 0.1

   Slow is slow under every release.
"""


def test_pages_show_what_changed_and_judge_claims_by_their_releases(two_releases):
    page, warnings, _ = two_releases(ACROSS)
    assert warnings == ""
    text = html.unescape(re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")))
    assert re.search(r"small\.slow\s+1\.1 / 5\s+time\s[\s\d.msµ]*faster, 10 times", text)
    assert "was measured twice. Between the two, no change was marked." in text
    assert re.search(r"→ 2\d\.\d", text)
    assert re.search(r"Slow was slow\.\s+nilearn >=1\.0,<1\.1\s+✓\s+holds\s+–\s+–", text)
    # Under releases, methods share an interpreter.
    assert re.search(r"next to nothing\.\s+nilearn >=1\.0,<1\.1\s+–\s+–\s+–", text)
    assert "Holds under the releases that it is about" in text
    assert text.count("Holds for the releases that were measured here") == 2
    assert re.search(r"Slow is slow under every release\. Contradicted under nilearn 1\.1", text)


def test_a_page_that_lists_claims_of_others_follows_them(two_releases, tmp_path):
    index = ACROSS.partition(".. claim::")[0] + "\n.. toctree::\n\n   other\n"
    other = tmp_path / "source" / "other.rst"
    other.write_text("Other\n=====\n\n.. claim::" + ACROSS.partition(".. claim::")[2])
    page, warnings, _ = two_releases(index)
    assert warnings == ""
    assert "Slow was slow." in page
    other.write_text(other.read_text().replace("Slow was slow.", "It was slow then."))
    page, _, _ = two_releases()
    assert "It was slow then." in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".. across:: other", "'other' is not compared across releases: small"),
        (".. across:: small\n   :quantity: cpu", "'cpu' is not compared across releases"),
    ],
)
def test_what_is_not_compared_across_releases_is_a_warning(two_releases, text, message):
    _, warnings, _ = two_releases(f"Title\n=====\n\n{text}\n")
    assert message in warnings


def test_a_change_between_two_sessions_of_one_release_is_said(two_releases):
    path = next((environments.RELEASES[2].results).glob("*.json"))
    content = json.loads(path.read_text())
    for result in content["results"]:
        for run in result["time_runs"]:
            run["wall_seconds"] *= 5
    path.write_text(json.dumps(content))
    page, _, _ = two_releases(ACROSS)
    assert "were marked as changed, and should not have been" in page


@pytest.mark.parametrize("options", [":at-least: 2", ":changed-in: no release"])
def test_a_condition_that_is_none_is_noticed_behind_one_that_is_not_met(project, options):
    claim = PAGE.replace("   :at-least: 2", f"   :when: scaled, packed\n   {options}")
    _, warnings, _ = project(claim)
    assert "'packed' is no condition of a claim; there are: compressed" in warnings


def test_published_figures_are_those_of_the_tasks_that_are_named():
    published = original.published_of(["load", "math_in_parallel@short"])
    assert set(published) >= {"load.nibabel_load", "math_in_parallel@short.twice_proxy"}
    assert published["load.nibabel_load"]["increment_bytes"] == 262144
    assert original.published_of(["growth"]) == {}
    assert "original chapter" in original.source_of(["load"])
    assert "smaller file" not in original.source_of(["load"])
    assert "smaller file" in original.source_of(["load", "math_in_parallel@short"])


def test_published_figures_are_a_table_beside_ours(project, monkeypatch):
    entry = {"task": "small", "method": "slow", "wall_seconds": 6.56, "increment_bytes": None}
    content = {"source": "From a book.", "remarks": {}, "results": [entry]}
    monkeypatch.setattr(original, "_published", lambda: content)
    page, warnings, _ = project("T\n=\n\n.. published:: small\n")
    assert warnings == ""
    assert re.search(r"slow\s*2\d\d ms\s*6\.56 s\s*[\d.]+ MiB\s*–", plain(page))
    assert "From a book. Ours: bold.nii.gz: 8 x 7 x 6 x 5 voxels" in plain(page)
    assert "Only ratios within a column compare." in plain(page)
    _, warnings, _ = project("T\n=\n\n.. published:: other\n")
    assert "Nothing was published of other" in warnings


def test_what_is_allowed_of_a_known_call_includes_its_forks():
    for forks, fork_mib, allowed in (
        (0, 0, "-1.00 to 1.00 MiB"),
        (1, 0, "-1.00 to 5.00 MiB"),
        (2, 1.5, "-1.00 to 4.00 MiB"),
    ):
        call = Known("call", len, (), 0, tree=True, forks=forks)
        assert call.bound_bytes == MIB
        check = Check(call, 0, fork_mib * MIB)
        assert re.sub(r"\s", " ", measurements._allowed(check)) == allowed
        highest = float(allowed.split()[2]) * MIB
        assert replace(check, read_bytes=highest).is_kept
        assert not replace(check, read_bytes=highest + 1).is_kept


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (
            (("A", True), ("Reference machine (A)", True)),
            "one kind of processor, A, and every one",
        ),
        ((("A", True), ("B (2 GHz)", False)), "2 kinds of processor: A, B (2 GHz), and some"),
        ((("A", False),), "one kind of processor, A, and none"),
    ],
)
def test_how_much_machines_differ_is_said(about, said):
    found = tuple(
        SimpleNamespace(
            provenance=SimpleNamespace(cpu=cpu, system="Linux" + ", virtual machine" * virtual)
        )
        for cpu, virtual in about
    )
    assert machines.alike(found).startswith(f"So far these are results of {said} of them is from")


def test_the_error_of_the_gauge_is_told_apart_where_calls_fork():
    def check(error_mib, forks):
        return Check(Known("a call", print, (), 0, forks=forks), error_mib * MIB)

    checks = [check(0.1, 0), check(-0.2, 0), check(5, 3)]
    assert re.sub(r"\s", " ", measurements._largest_errors(checks)) == (
        "at most 0.20 MiB on 2 known calls; "
        "at most 5.00 MiB on 1 that fork, what a fork takes included"
    )
    assert "coarse" in measurements._largest_errors([])
