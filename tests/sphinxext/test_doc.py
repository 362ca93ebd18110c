import doctest
import os
import re
import subprocess
import sys

import pytest
from conftest import save_run

from benchmarks.files import DOC, EXAMPLES, PROJECT

PAGES = sorted(DOC.glob("*.rst"))
EXAMPLE_TEXTS = sorted([*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.rst")])

#: A number with a unit of time, memory or proportion, as nobody should have typed it.
FIGURE = re.compile(
    r"\d[\d.,]*\s*(?:µs|us|ms|s|sec(?:ond)?s?|min(?:ute)?s?|[KMGT]i?B|[kMGT]B|bytes?|%|percent"
    r"|times|x|×|-fold)(?![\w/])"
)


@pytest.mark.parametrize("path", PAGES + EXAMPLE_TEXTS, ids=lambda path: path.name)
def test_no_figure_is_typed(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        # What a command is given was not measured, nor from which size on a claim is made.
        if re.match(r"(#\s+|\s+)\$ |\s+:when: ", line):
            continue
        assert not FIGURE.search(line), f"{path.name}:{number}: {line.strip()}"


@pytest.mark.parametrize(
    "text", ["took 6.56 s", "3936.60 MiB", "a peak of 2GB", "5 times faster", "12 %", "300x"]
)
def test_the_search_for_figures_finds_them(text):
    assert FIGURE.search(text)


@pytest.mark.parametrize("text", ["since 0.13.1", "float64", "a 4D image", ":at-least: 20"])
def test_the_search_for_figures_finds_nothing_else(text):
    assert not FIGURE.search(text)


def test_the_sessions_of_the_pages_are_true(tmp_path):
    path = str(save_run(tmp_path / "bold.nii.gz"))
    failures, tried = doctest.testfile(
        str(DOC / "memory_multiplier.rst"), module_relative=False, globs={"fmri_path": path}
    )
    assert tried == 5
    assert failures == 0


def test_the_table_of_the_readme_is_what_the_example_prints():
    printed = subprocess.run(
        [sys.executable, EXAMPLES / "plot_mean_over_time.py"],
        env=os.environ | {"MEASURE": "0"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    readme = (PROJECT / "README.md").read_text()
    shown = readme.partition("$ MEASURE=0 .venv/bin/python examples/plot_mean_over_time.py\n")[2]
    table, *_ = shown.partition("```")
    assert table
    assert printed.startswith(table)
