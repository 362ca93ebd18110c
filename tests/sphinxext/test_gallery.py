"""An example is executed when its page would show something else, and at no other time."""

import io
import json

import pytest
from conftest import save_run
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

from benchmarks import files
from benchmarks.comparisons.shown import State
from benchmarks.gauge.readings import TimeRun
from benchmarks.images.workspace import Workspace
from benchmarks.results import provenance
from benchmarks.results.result import Result
from benchmarks.tasks import chapter
from benchmarks.tasks.chapter import About
from benchmarks.tasks.task import task_named

EXAMPLE = '''"""
{title}
======
"""
import nibabel as nib

def opened(fmri_path):
    """Open it."""
    return nib.load(fmri_path).shape

METHODS = [opened]

if __name__ == "__main__":
    from benchmarks import compare

    print(compare(METHODS, runs=1))
'''

ABOUT_OTHERS = '''"""
Others
======
"""
if __name__ == "__main__":
    from benchmarks import {}
'''

#: As in the conf.py of the project.
GALLERY = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "reset_modules": ("matplotlib", "benchmarks.sphinxext.pages.remember"),
    "reset_modules_order": "both",
    "min_reported_time": float("inf"),
    "write_computation_times": False,
    "download_all_examples": False,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Write two examples of one method each, and the file that they measure on."""
    examples = tmp_path / "examples"
    examples.mkdir()
    (examples / "GALLERY_HEADER.rst").write_text("Examples\n========\n")
    for name in ("first", "second"):
        (examples / f"plot_{name}.py").write_text(EXAMPLE.format(title=name))
    monkeypatch.setattr(files, "EXAMPLES", examples)
    monkeypatch.setenv("FMRI", str(save_run(tmp_path / "bold.nii.gz")))
    task_named.cache_clear()
    yield tmp_path
    task_named.cache_clear()


@pytest.fixture
def build(folder):
    """Return a function that builds the gallery, and names the examples that were executed."""
    source = folder / "source"
    source.mkdir()
    (source / "index.rst").write_text("Title\n=====\n\n.. toctree::\n\n   auto_examples/index\n")
    extensions = ["benchmarks.sphinxext.chapter", "sphinx_gallery.gen_gallery"]

    def run():
        settings = {
            "extensions": extensions,
            "sphinx_gallery_conf": dict(GALLERY),
            "html_theme": "basic",
        }
        words, warnings = (source, None, folder / "html", folder / "trees", "html"), io.StringIO()
        with patch_docutils(str(source)), docutils_namespace():
            app = Sphinx(*words, settings, status=None, warning=warnings)
            app.build()
        assert warnings.getvalue() == ""
        executed = app.config.sphinx_gallery_conf["passing_examples"]
        return sorted(path.rpartition("plot_")[2] for path in executed)

    return run


def results_file():
    (path,) = files.results_folder().glob("*.json")
    return path


def without_result(path, task):
    """Take the result of a task out of a results file."""
    content = json.loads(path.read_bytes())
    content["results"] = [one for one in content["results"] if one["task"] != task]
    path.write_text(json.dumps(content))


def test_only_an_example_that_would_show_something_else_is_executed(folder, build, monkeypatch):
    page = folder / "html" / "auto_examples" / "plot_first.html"
    assert build() == ["first.py", "second.py"]
    assert build() == []
    example = folder / "examples" / "plot_first.py"
    source = example.read_text()
    example.write_text(source.replace(".shape", ".ndim"))
    assert build() == ["first.py"]
    assert "ndim" in page.read_text()
    assert build() == []
    without_result(results_file(), "second")
    assert build() == ["second.py"]
    example.write_text(source)
    monkeypatch.setenv("FRESH", "1")
    assert build() == ["first.py", "second.py"]
    monkeypatch.delenv("FRESH")
    assert build() == []
    assert "ndim" not in page.read_text()


def test_an_example_that_was_interrupted_or_whose_page_is_gone_is_executed_again(folder, build):
    build()
    (folder / "source" / "auto_examples" / "plot_first.py.shown").unlink()
    (folder / "source" / "auto_examples" / "plot_second.rst").unlink()
    assert build() == ["first.py", "second.py"]


@pytest.fixture
def shown(folder):
    """Store a result of both examples, and return what tells what one of them rests on."""
    store = Workspace.chosen().store
    for name in ("first", "second"):
        store.put(Result(name, "opened", "digest", time_runs=(TimeRun(1.0, 1.0, 0.0),)))
    return lambda name="first": State.now().of(folder / "examples" / f"plot_{name}.py")


def test_what_an_example_rests_on_stays_the_same(shown, folder):
    before = shown()
    without_result(results_file(), "second")
    (folder / "examples" / "plot_second.py").write_text(EXAMPLE.format(title="other"))
    assert shown() == before


def other_file(folder, monkeypatch):
    monkeypatch.setenv("FMRI", str(save_run(folder / "other.nii.gz", slope=2.0)))


def other_machine(_folder, monkeypatch):
    monkeypatch.setattr(provenance, "_cpu_model", lambda: "another")


def other_runs(_folder, monkeypatch):
    monkeypatch.setenv("RUNS", "7")


def reference(_folder, monkeypatch):
    monkeypatch.setenv("MEASURE", "0")


def other_code(folder, _monkeypatch):
    path = folder / "examples" / "plot_first.py"
    path.write_text(path.read_text().replace(".shape", ".ndim"))


def other_package(folder, monkeypatch):
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "plots.py").write_text("")
    monkeypatch.setattr(files, "PACKAGE", folder / "benchmarks")


def other_version(_folder, monkeypatch):
    monkeypatch.setattr("benchmarks.comparisons.shown.metadata.distributions", list)


def removed_result(_folder, _monkeypatch):
    without_result(results_file(), "first")


def removed_results(_folder, _monkeypatch):
    results_file().unlink()


@pytest.mark.parametrize(
    "change",
    [
        other_file,
        other_machine,
        other_runs,
        reference,
        other_code,
        other_package,
        other_version,
        removed_result,
        removed_results,
    ],
)
def test_any_of_it_that_changes_is_noticed(shown, folder, monkeypatch, change):
    before = shown()
    change(folder, monkeypatch)
    assert shown() != before


def is_due(folder, name):
    return State.now().is_due(folder / "examples" / f"plot_{name}.py")


@pytest.mark.usefixtures("shown")
def test_all_are_executed_when_all_is_to_be_measured_again(folder, monkeypatch):
    assert not is_due(folder, "first")
    monkeypatch.setenv("FRESH", "1")
    assert is_due(folder, "first")
    monkeypatch.setenv("MEASURE", "0")
    assert not is_due(folder, "first")


@pytest.mark.usefixtures("shown")
def test_a_method_that_failed_is_tried_again_in_each_build(folder):
    path = results_file()
    content = json.loads(path.read_bytes())
    failed = next(one for one in content["results"] if one["task"] == "first")
    failed |= {"status": "raised", "message": "once"}
    path.write_text(json.dumps(content))
    assert is_due(folder, "first")
    assert not is_due(folder, "second")


@pytest.mark.parametrize(
    "function", ["predict", "compare_tools", "compare_interpreters", "compare_releases"]
)
def test_what_shows_the_methods_of_others_follows_their_code(shown, folder, monkeypatch, function):
    monkeypatch.setattr(chapter, "TASKS", {"first": About(released="")})
    for name in ("ASKED_ABOUT", "FORKED_AND_FRESH"):
        monkeypatch.setattr(chapter, name, [("first", "opened")])
    (folder / "examples" / "plot_others.py").write_text(ABOUT_OTHERS.format(function))
    before = shown("others")
    other_code(folder, None)
    assert shown("others") != before


def test_predictions_follow_the_rates_of_the_machine(shown, folder, monkeypatch):
    (folder / "examples" / "plot_others.py").write_text(ABOUT_OTHERS.format("predict"))
    before = shown("others")
    monkeypatch.setattr("benchmarks.prediction.basis._slowness", lambda _: 3.0)
    assert shown("others") != before


def test_another_version_of_a_program_is_noticed(shown, folder, monkeypatch):
    path = folder / "examples" / "plot_first.py"
    path.write_text(f"{path.read_text()}\nPROGRAMS = {{'opened': 'sh'}}\n")
    monkeypatch.setattr("benchmarks.comparisons.shown.program_version", lambda _: "1")
    before = shown()
    monkeypatch.setattr("benchmarks.comparisons.shown.program_version", lambda _: "2")
    assert shown() != before
