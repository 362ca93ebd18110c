import doctest
import itertools
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

#: A claim directive, which may be an item of a list: its task, and all that is indented below.
CLAIM = re.compile(r"^(?:\* )?\.\. claim::(.*)\n((?: +.*\n|\n)+)", re.MULTILINE)

#: Shorter sentences may stand on several pages, such as that an example has the code.
LEAST_WORDS = 8


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


def claims_on(text):
    """Return what each claim of a page is about, and its options."""
    found = []
    for task, body in CLAIM.findall(text):
        options = dict(re.findall(r"^ +:([a-z-]+): (.*)$", body, re.MULTILINE))
        about = options.get("value", "")
        for compared, quantity in (("faster", "time"), ("leaner", "peak")):
            if compared in options:
                methods = (options["than"], options[compared])
                about = " / ".join(f"{task.strip()}.{name}.{quantity}" for name in methods)
        # A ratio says the same upside down.
        terms = (about,) if "(" in about else sorted(about.split(" / "))
        found.append((tuple(terms), options))
    return found


def are_apart(one, other):
    """Tell whether two claims are about different releases, or about different files."""
    return any(
        one.get(name) and other.get(name) and one[name] != other[name]
        for name in ("nilearn", "when")
    )


def sentences_of(text):
    """Return the sentences of a page, but for those of a few words, as they are read."""
    text = re.sub(r":[a-z:]+:`(?:([^`<]*?)\s*<[^>]*>|([^`]*))`", r"\1\2", text)
    text = re.sub(r"^ *(?::[a-z-]+:|\.\.|\$|>>>).*$", "", text, flags=re.MULTILINE)
    paragraphs = [" ".join(lines.split()) for lines in re.split(r"\n\s*\n", text)]
    found = [part for words in paragraphs for part in re.split(r"(?<=[.:;!?])\s+", words)]
    return {part.strip("*").lower() for part in found if len(part.split()) >= LEAST_WORDS}


def test_no_two_claims_say_the_same():
    made = [(path, *claim) for path in PAGES for claim in claims_on(path.read_text())]
    assert made
    for (page, about, one), (other_page, same, other) in itertools.combinations(made, 2):
        assert about != same or are_apart(one, other), f"{page.name}, {other_page.name}: {about}"


def test_no_sentence_is_on_two_pages():
    said = {path.name: sentences_of(path.read_text()) for path in PAGES}
    for (page, one), (other_page, other) in itertools.combinations(said.items(), 2):
        assert not one & other, f"{page}, {other_page}"


def test_a_claim_that_is_made_again_is_found_upside_down_too():
    faster = ".. claim:: load\n   :faster: a\n   :than: b\n   :when: compressed\n\n   One.\n"
    ratio = "* .. claim::\n     :value: load.a.time / load.b.time\n\n     Two.\n"
    ((about, one),), ((same, other),) = claims_on(faster), claims_on(ratio)
    assert about == same
    assert not are_apart(one, other)
    assert are_apart(one, other | {"when": "uncompressed"})


def test_a_sentence_that_is_said_again_is_found_whatever_its_lines_and_links():
    one = "First.\n\nSee how a sum can grow\nvolume by volume :ref:`in a loop <loop>`. Then.\n"
    other = "See how a sum can grow volume by\nvolume in a loop.\n"
    assert sentences_of(one) & sentences_of(other)


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
