"""The extension in the documentation of another project, which is not about images."""

import json
import re
import shutil
import subprocess
import sys
import textwrap

import pytest
import room

from benchmarks.files import DOC

PAGE = (DOC / "use_it_in_your_documentation.rst").read_text()


def shown(caption):
    """Return a block of code that the page shows."""
    block = re.search(rf"   :caption: {re.escape(caption)}\n\n((?:   .*\n|\n)+)", PAGE)[1]
    return textwrap.dedent(block)


CONF = f"""{shown("conf.py")}
html_theme = "basic"
measured_claims_file = "_build/claims.json"
"""

EXAMPLE = shown("examples/plot_sorting.py")

INDEX = f"""
Sorting
=======

{shown("index.rst")}

.. claim:: sorting
   :value: sorting.copied.peak
   :at-least: 1000000000

   Sorting takes a GB.

.. parts:: sorting

.. gauge::

.. provenance::
"""

#: What has to do with images, and what only this project's own site needs.
UNWANTED = ("nilearn", "sphinxcontrib.mermaid", "sphinx_gallery", "furo", "myst_parser")


def write(folder, **files):
    (folder / "examples").mkdir(parents=True, exist_ok=True)
    names = {"conf": "conf.py", "example": "examples/plot_sorting.py", "index": "index.rst"}
    for name, text in files.items():
        (folder / names[name]).write_text(text)


def built(folder, *words, **variables):
    """Build the pages as a user does; return the front page as text, and what was said."""
    refused = ", ".join(f"{name!r}: None" for name in UNWANTED)
    code = (
        f"import sys; sys.modules.update({{{refused}}}); "
        "from sphinx.cmd.build import main; sys.exit(main(sys.argv[1:]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, "-W", "--keep-going", *words, folder, folder / "_build"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "NO_COLOR": "1", "RUNS": "3"}
        | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    page = folder / "_build" / "index.html"
    html = page.read_text() if page.exists() else ""
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)).replace("\xa0", " ")
    return text, answer


def results(folder):
    return json.loads((folder / "measured.json").read_text())["results"]


def times(folder):
    """Return when each method was measured, and how often it ran."""
    return {r["method"]: str(r["time_runs"]) for r in results(folder) if r["task"] == "sorting"}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Build once for all tests here, and return the folder with the page and what was said."""
    folder = tmp_path_factory.mktemp("project")
    write(folder, conf=CONF, example=EXAMPLE, index=INDEX)
    with room.alone():
        text, answer = built(folder)
    assert answer.returncode == 0, answer.stderr
    return folder, text, answer


@pytest.fixture
def project(first, tmp_path):
    """Return a copy of the project as it was built, its results included."""
    folder = tmp_path / "project"
    shutil.copytree(first[0], folder, ignore=shutil.ignore_patterns("_build"))
    return folder


def test_the_page_shows_it_in_thirty_lines():
    blocks = [shown(name) for name in ("conf.py", "examples/plot_sorting.py", "index.rst")]
    assert sum(bool(line.strip()) for block in blocks for line in block.splitlines()) <= 30


def test_figures_tables_and_claims_are_in_the_page(first):
    folder, text, answer = first
    assert re.search(r"Sorting took [\d.]+ ms and 7\.[67]\d? MiB, [\d.]+ times as long", text)
    assert "return np.sort(values)" in text
    assert re.search(r"return np\.sort\(values\) [\d.]+ ms, 7\.[67]\d? MiB \([\d.]+ to", text)
    assert re.search(r"methodtime \(.s\)range of time \(.s\)peak \(MiB\)kept \(MiB\) ", text)
    assert "multiplier" not in text
    assert re.search(r"at least twice as fast as sorting\. ✓Holds here: measured", text)
    assert "Sorting takes a GB. ✗ contradictedContradicted here" in text
    assert "two workers together" in text
    assert re.search(r"Packages ?:? ?numpy [\d.]+", text)
    assert "contradicted: Sorting takes a GB." in answer.stdout
    claims = json.loads((folder / "_build" / "claims.json").read_text())
    assert len(claims) == 2


def test_tables_are_text_where_a_page_is_no_html(project):
    _, answer = built(project, "-b", "text", MEASURE="0")
    assert answer.returncode == 0, answer.stderr
    (text,) = (project / "_build").glob("index.txt")
    assert re.search(r"^ +chosen +[\d.]+ ", text.read_text(), re.MULTILINE)


def test_the_style_sheet_comes_along(first):
    folder, _, _ = first
    assert "_static/figures.css" in (folder / "_build" / "index.html").read_text()
    assert ".said {" in (folder / "_build" / "_static" / "figures.css").read_text()


def test_nothing_is_measured_again_but_the_method_that_has_changed(project):
    before = times(project)
    write(project, example=EXAMPLE.replace("values.min()", "float(values.min())"))
    _, answer = built(project)
    assert answer.returncode == 0, answer.stderr
    after = times(project)
    assert {name for name in after if after[name] != before[name]} == {"least"}
    built(project)
    assert times(project) == after


def test_other_values_are_measured_anew(project):
    before = times(project)
    write(project, example=EXAMPLE.replace("1_000_000", "100_000"))
    built(project)
    assert not set(times(project).values()) & set(before.values())


@pytest.mark.parametrize("way", ["setting", "variable"])
def test_results_that_are_brought_along_are_shown_as_they_are(project, way):
    before = (project / "measured.json").read_bytes()
    if way == "setting":
        write(project, conf=f'{CONF}\nmeasured_when = "never"\n')
    variables = {"MEASURE": "0"} if way == "variable" else {}
    text, answer = built(project, **variables)
    assert answer.returncode == 0, answer.stderr
    assert (project / "measured.json").read_bytes() == before
    assert "Holds on the reference machine" in text
    if way == "variable":  # pages that are there are made anew
        assert "Holds here" in built(project)[0]
        assert "Holds on the reference machine" in built(project, **variables)[0]


def test_results_of_another_machine_do_not_stand_beside_those_of_this_one(project):
    content = json.loads((project / "measured.json").read_text())
    content["provenance"]["cpu"] = "Another"
    content["results"][-1]["task"] = "gone"
    (project / "measured.json").write_text(json.dumps(content))
    built(project)
    assert "Another" not in (project / "measured.json").read_text()
    (kept,) = project.glob("measured-*.json")
    assert "Another" in kept.read_text()
    assert {result["task"] for result in results(project)} == {"sorting", "gauge"}


def test_a_figure_that_is_stale_is_a_warning_that_says_what_to_do(project):
    write(project, example=EXAMPLE.replace("np.sort(values)", "np.sort(values, kind='stable')"))
    _, answer = built(project, MEASURE="0")
    assert answer.returncode == 1
    assert "sorting.copied was measured in measured.json before its code changed" in answer.stderr
    assert 'measured_when = "changed"' in answer.stderr
    assert "make" not in answer.stderr


def test_a_claim_that_is_contradicted_is_a_warning_where_that_is_wanted(project):
    _, answer = built(project, "-D", "measured_strict=1", MEASURE="0")
    assert answer.returncode == 1
    assert "contradicted: Sorting takes a GB." in answer.stderr


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        (
            CONF.replace('"examples"', '"none"'),
            "measured_examples of conf.py has to name a folder",
        ),
        (CONF.replace("measured_examples", "other"), "measured_examples of conf.py has to name"),
        (f'{CONF}\nmeasured_when = "always"', "it can be 'changed' or 'never'"),
        (CONF.replace('"examples"', '"_empty"'), "has no plot_*.py with a list METHODS"),
        (CONF.replace('"examples"', '"_broken"'), "cannot be run: RuntimeError: no luck."),
        (CONF.replace('"examples"', '"_comma"'), "ARGUMENTS = (VALUES,) with a comma"),
    ],
)
def test_a_setting_that_is_not_right_is_a_sentence(tmp_path, conf, said):
    write(tmp_path, conf=conf, example=EXAMPLE, index=INDEX)
    for name, text in (
        ("_empty", ""),
        ("_broken", "METHODS = []\nraise RuntimeError('no luck')\n"),
        ("_comma", "def a(x):\n    return x\n\n\nARGUMENTS = (3)\nMETHODS = [a]\n"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plot_it.py").write_text(text)
    _, answer = built(tmp_path)
    assert answer.returncode == 2
    assert said in answer.stderr


def test_methods_that_disagree_are_refused(tmp_path):
    write(tmp_path, conf=CONF, index=INDEX)
    write(tmp_path, example=EXAMPLE.replace("[[copied], [chosen, least]]", "[copied, least]"))
    with room.alone():
        _, answer = built(tmp_path)
    assert answer.returncode == 2
    assert re.search("(copied and least|least and copied) disagree", answer.stderr)
