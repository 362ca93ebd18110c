import json
import re
import shutil
import sys

import matplotlib.pyplot as plt
import pytest
from click.testing import CliRunner
from conftest import save_run

from benchmarks import Across, __main__, compare, files, predict
from benchmarks.comparisons.site import Site
from benchmarks.errors import DataError, FigureError, StoreError
from benchmarks.files import PROJECT
from benchmarks.images import variants
from benchmarks.images.image import Image
from benchmarks.images.workspace import Workspace
from benchmarks.releases import changes, environments, measure
from benchmarks.releases.environments import Release
from benchmarks.results import reference_store
from benchmarks.runner import execute, self_check
from benchmarks.sphinxext import chapter as chapter_extension
from benchmarks.sphinxext import pages
from benchmarks.tasks import chapter
from benchmarks.tasks import task as task_module
from benchmarks.tasks import task as tasks
from benchmarks.tasks.chapter import About

#: Small files are not measured here; predictions rest on those of the project.
PROJECT_SIZES = reference_store.path_of(reference_store.SIZES)

EXAMPLE = """
import subprocess
import nibabel as nib

def whole(fmri_path):
    return nib.load(fmri_path).get_fdata()

def again(fmri_path):
    return nib.load(fmri_path).get_fdata()

def outside(fmri_path):
    subprocess.run(["true"], check=True)
    return nib.load(fmri_path).get_fdata()

PROGRAMS = {"outside": "true"}
METHODS = [whole, again, outside]
"""


def _pointed_at(folder, patch):
    """Take the project in a folder for this one."""
    patch.setattr(files, "EXAMPLES", folder / "examples")
    patch.setattr(files, "REFERENCE", folder / "kept")
    patch.setattr(environments, "NOX", folder / ".nox")
    patch.setattr(chapter, "TASKS", {"small": About(released="")})
    patch.setattr(environments, "RELEASES", (Release("", "", "newest"),))
    patch.setattr(self_check, "ensure", lambda *_: [])
    patch.setenv("FMRI_BENCH_RESULTS", str(folder / "results"))
    patch.setenv("FMRI_BENCH_CACHE", str(folder / "cache"))
    _forget()


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Measure a small project for all tests here, and keep the results as the reference."""
    folder = tmp_path_factory.mktemp("once")
    (folder / "examples").mkdir()
    (folder / "examples" / "plot_small.py").write_text(EXAMPLE)
    (folder / "kept").mkdir()
    shutil.copy(PROJECT_SIZES, folder / "kept")
    with pytest.MonkeyPatch.context() as patch:
        _pointed_at(folder, patch)
        patch.setenv("FMRI", str(save_run(folder / "bold.nii.gz", slope=2.0)))
        environments.RELEASES[0].write_mark(sys.executable)
        for form in ("", "short", "nii"):
            compare(methods_of(folder), runs=1, form=form)
        measure.measure()
        found = Site.in_use()
        reference_store.write(found.stores())
        # One release alone would not be taken for a comparison.
        reference_store.write(Across(tuple(changes.measured_here(found.image))).stores)
    _forget()
    return folder


@pytest.fixture
def kept(once, tmp_path, monkeypatch):
    """Give the project with its reference results; the run is gone."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    (tmp_path / "bold.nii.gz").unlink()
    _pointed_at(tmp_path, monkeypatch)
    monkeypatch.setenv("MEASURE", "0")
    yield tmp_path
    _forget()


def _forget():
    task_module.task_named.cache_clear()
    reference_store.opened.cache_clear()
    pages.across.cache_clear()
    pages.digest.cache_clear()


def methods_of(folder):
    path = folder / "examples" / "plot_small.py"
    return [method.function for method in tasks.from_example(path).methods]


def test_nothing_is_measured_and_every_caption_has_the_label(kept, monkeypatch):
    monkeypatch.setattr(execute, "carry_out", lambda *_: pytest.fail("measured"))
    for form in ("", "nii", "short"):
        comparison = compare(methods_of(kept), form=form)
        assert "Reference machine (" in comparison.caption
        assert [result.status for result in comparison.results] == ["ok"] * 3
    figure = comparison.plot_time()
    assert figure.get_suptitle().endswith("(reference machine)")
    plt.close(figure)
    assert "Reference machine" in Across.in_use().caption


@pytest.mark.usefixtures("kept")
def test_the_run_need_not_be_here():
    workspace = Workspace.chosen()
    assert workspace.is_reference
    assert not workspace.image.path.exists()
    assert workspace.image.scaled
    assert workspace.image.slope == 2.0
    assert workspace.seen("nii").data.compression == "none"
    assert workspace.seen("x8") is None
    with pytest.raises(DataError, match="x8 is not among the reference results"):
        workspace.at("x8")
    with pytest.raises(FigureError, match="make reference"):
        Site.in_use().find("small@x8", "whole")


def test_a_method_that_changed_is_refused(kept):
    path = kept / "examples" / "plot_small.py"
    path.write_text(path.read_text().replace("return nib.load(fmri_path).get_fdata()", "pass", 1))
    _forget()
    with pytest.raises(FigureError, match=r"small.whole is not among .* make reference"):
        compare(methods_of(kept))
    with pytest.raises(FigureError, match=r"before its code changed. .* make reference"):
        Site.in_use().find("small", "whole")


def test_a_program_need_not_be_installed(kept, monkeypatch):
    monkeypatch.setenv("PATH", "")
    _forget()
    assert Site.in_use().find("small", "outside").status == "ok"
    assert len(compare(methods_of(kept)).results) == 3


@pytest.mark.usefixtures("kept")
def test_reference_results_are_not_written_to():
    opened = Workspace.chosen().store
    before = opened.path.read_bytes()
    with pytest.raises(StoreError, match="belongs to the project"):
        opened.put(opened.all()[0])
    assert opened.path.read_bytes() == before
    with pytest.raises(FigureError, match="nothing is measured that could be kept"):
        __main__._keep()


def test_each_part_of_the_reference_is_kept_on_its_own(kept, monkeypatch):
    monkeypatch.delenv("MEASURE")
    monkeypatch.setenv("FMRI", str(save_run(kept / "bold.nii.gz", slope=2.0)))
    names = {path.relative_to(kept / "kept") for path in (kept / "kept").rglob("*.json")}
    (kept / "kept" / "run@x8.json").write_text("gone")
    answer = CliRunner().invoke(__main__.main, ["reference"], catch_exceptions=False)
    assert "Results of the site are the reference now: bold.nii.gz" in answer.output
    assert names == {path.relative_to(kept / "kept") for path in (kept / "kept").rglob("*.json")}
    monkeypatch.setenv("FMRI", str(save_run(kept / "other.nii.gz")))
    with pytest.raises(FigureError, match="Nothing was measured here of other"):
        __main__._keep()


def test_what_no_page_shows_is_left_out(kept):
    content = json.loads((kept / "kept" / "run@nii.json").read_text())
    for result in content["results"]:
        assert "sample" not in result["returned"]
        # Of memory over time, the number of processes is left: it tells whether there are workers.
        assert {*result["memory_runs"][0].get("series", {})} <= {"processes"}
    # A run that is as short as its short form has one results file for both.
    found = sorted((kept / "kept" / "releases" / "newest").glob("*.json"))
    assert [path.stem for path in found] == ["run", "run@short"]
    released = found[0]
    assert reference_store.opened(released, Image).get("small", "whole").status == "ok"


def test_a_path_that_is_given_is_measured_all_the_same(kept):
    fmri_path = save_run(kept / "mine.nii.gz")
    comparison = compare(methods_of(kept), fmri_path, runs=1)
    assert "Reference" not in comparison.caption


@pytest.mark.usefixtures("kept")
def test_the_command_says_what_it_shows():
    answer = CliRunner().invoke(__main__.main, ["file"], catch_exceptions=False)
    assert "bold.nii.gz: 8 x 7 x 6 x 5 voxels" in answer.output
    assert "MEASURE=0" in answer.output


def test_without_reference_results_it_is_a_sentence(kept, monkeypatch):
    monkeypatch.setattr(files, "REFERENCE", kept / "none")
    with pytest.raises(FigureError, match=r"no reference results. .* make reference"):
        Workspace.chosen()


@pytest.mark.usefixtures("kept")
def test_the_banner_names_machine_and_day():
    assert re.search(
        r"Reference machine \(.+\), measured until 20\d\d-\d\d-\d\d", chapter_extension.banner()
    )


def test_the_committed_results_are_those_of_the_examples(monkeypatch):
    """What the project shows where nothing can be measured is not stale."""
    monkeypatch.setenv("MEASURE", "0")
    _forget()
    found = Site.in_use()
    for name in tasks.example_paths():
        measured = [
            found.of_task(f"{name}@{form}", complete=False) for form in ("", *variants.VARIANTS)
        ]
        assert any(measured), name
    across = Across.in_use()
    assert len(across.under) >= 4
    # To measure under all releases takes long: methods that have changed since are named instead.
    named = {name.partition(".")[0].partition("@")[0] for name in across.outdated()}
    for task in changes.tasks_compared():
        assert across.methods(task) or task in named
    assert "get_fdata" in str(predict())
    _forget()


def test_the_committed_results_name_no_folder_of_a_machine():
    for path in (PROJECT / "benchmarks" / "results").rglob("*.json"):
        assert not re.search(r'"/(home|work|root|tmp|Users)/', path.read_text())
