"""A new task is an example file, at most one row, and the page: the rest follows."""

import io
import json
import re

import pytest
from click.testing import CliRunner
from conftest import save_run
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from benchmarks import files
from benchmarks.__main__ import main
from benchmarks.prediction import request, small_files
from benchmarks.tasks import chapter
from benchmarks.tasks.chapter import About, Need
from benchmarks.tasks.task import task_named

EXAMPLE = '''"""
A toy
=====
"""
import nibabel as nib
import numpy as np

def at_once(fmri_path):
    """Find the largest value of all of it."""
    return float(np.asarray(nib.load(fmri_path).dataobj, np.float32).max())

def streamed(fmri_path):
    """Find the largest value volume by volume."""
    img = nib.load(fmri_path, keep_file_open=True)
    return float(max(np.float32(img.dataobj[..., n]).max() for n in range(img.shape[3])))

METHODS = [at_once, streamed]

if __name__ == "__main__":
    from benchmarks import compare

    print(compare(METHODS, runs=2))
'''

PAGE = """
Toys
====

It took :measured:`toy.at_once.time`, with a peak of :measured:`toy.streamed.peak`.

.. measurements:: toy

.. claim:: toy
   :value: toy.at_once.time
   :at-most: 60

   It takes less than a minute.

.. roofline::

   toy.at_once

.. calculator::
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Add the file and the row."""
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "plot_toy.py").write_text(EXAMPLE)
    monkeypatch.setattr(files, "EXAMPLES", tmp_path / "examples")
    monkeypatch.setitem(chapter.TASKS, "toy", About({"": Need(converted=True)}))
    monkeypatch.setenv("FMRI", str(save_run(tmp_path / "bold.nii.gz", shape=(40, 40, 20, 12))))
    task_named.cache_clear()
    yield tmp_path
    task_named.cache_clear()


def command(*words):
    return CliRunner().invoke(main, list(map(str, words)), catch_exceptions=False).output


def site(folder):
    """Build a page about the toy, and return it with the warnings."""
    (folder / "source").mkdir()
    (folder / "source" / "index.rst").write_text(PAGE)
    warnings, words = io.StringIO(), (folder / "source", None, folder / "html", folder / "trees")
    settings = {"extensions": ["benchmarks.sphinxext.chapter"], "html_theme": "basic"}
    with patch_docutils(str(folder)), docutils_namespace():
        app = Sphinx(*words, "html", settings, status=None, warning=warnings)
        app.build()
    return (folder / "html" / "index.html").read_text(), warnings.getvalue()


def test_a_toy_is_measured_shown_and_predicted(toy, monkeypatch):
    assert "at_once   Find the largest value of all of it." in command("list")
    assert "x limit" in command("run", "toy", toy / "bold.nii.gz", "--runs", 2)
    command("measure", "toy")
    sizes = {"small": (30000, 8), "wide": (120000, 8), "long": (30000, 64)}
    monkeypatch.setattr(small_files, "SIZES", sizes)
    # What was measured of larger files was predicted from other sizes.
    monkeypatch.setattr(request, "of_reference", tuple)
    request.margin.cache_clear()
    command("calibrate")
    page, warnings = site(toy)
    assert warnings == ""
    # Long names may break behind a dot.
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.replace("<wbr>", "")))
    assert re.search(r"It took [\d.]+\s.s , with a peak of [\d.]+\sMiB", text)
    assert re.search(r"It takes less than a minute\..{0,40}Holds", text, re.IGNORECASE)
    assert re.search(r"toy\.at_once unpacking with isal [\d.]+", text)
    content = json.loads(re.search(r'application/json">(.*?)</script>', page)[1])
    assert {m["method"] for m in content["methods"]["int16_nii_gz"]} == {"at_once", "streamed"}
    large = save_run(toy / "large.nii.gz", shape=(64, 64, 40, 40))
    predicted = json.loads(command("predict", large, "--json"))["methods"]
    peaks = {entry["method"]: entry["peak_bytes"] for entry in predicted}
    assert peaks["at_once"] > 3 * peaks["streamed"] > 0
