"""What a node of a workflow asks for: from headers alone, and at once."""

import gzip
import json
import re
import subprocess
import sys
import textwrap

import pytest
from click.testing import CliRunner
from conftest import save_run

from benchmarks import __main__, mem_gb, mem_gb_each
from benchmarks.errors import DataError, MethodError
from benchmarks.images import header
from benchmarks.prediction import pipelines, predict
from benchmarks.prediction.basis import Basis
from benchmarks.units import GIB

WAY = "mean_over_time.mean_isal"
WHOLE = "mean_over_time.mean_nibabel"


def requested(path, method, **choices):
    found = predict.of_image(header.read(path), Basis.of_reference(), GIB, **choices)
    return found.of_method(method).rows[0].request_bytes


def test_it_is_what_is_requested_in_the_unit_of_nipype(fmri_path):
    found = mem_gb(fmri_path, WAY)
    assert isinstance(found, float)
    assert found == pytest.approx(requested(fmri_path, WAY) / 2**30)
    assert mem_gb(str(fmri_path), WAY) == found
    assert mem_gb(fmri_path, WAY, jobs=4) == requested(fmri_path, WAY, jobs=4) / 2**30


@pytest.fixture
def dataset(tmp_path):
    """Make a BIDS data set of two runs, with others of it apart."""
    folder = tmp_path / "dataset"
    for place, volumes in (
        ("sub-01/func/sub-01_task-rest_bold.nii.gz", 5),
        ("sub-02/ses-1/func/sub-02_ses-1_task-rest_bold.nii", 40),
        ("derivatives/fmriprep/sub-01/func/sub-01_desc-preproc_bold.nii.gz", 90),
        (".git/annex/objects/sub-01_bold.nii", 90),
    ):
        (folder / place).parent.mkdir(parents=True)
        save_run(folder / place, shape=(20, 20, 10, volumes))
    (folder / "sub-01/func/sub-01_task-rest_sbref.nii.gz").write_bytes(b"no BOLD run")
    return folder


def test_of_a_data_set_the_largest_run_decides_and_each_has_a_row(dataset):
    found = mem_gb_each(dataset, WHOLE)
    assert [image.name for image, _ in found.rows] == [
        "sub-01_task-rest_bold.nii.gz",
        "sub-02_ses-1_task-rest_bold.nii",
    ]
    each = [mem_gb(image.path, WHOLE) for image, _ in found.rows]
    assert mem_gb(dataset, WHOLE) == found.gb == each[1] > each[0]
    assert mem_gb([image.path for image, _ in found.rows], WHOLE) == found.gb
    assert mem_gb(dataset / "derivatives" / "fmriprep", WHOLE) > found.gb
    assert "sub-02_ses-1_task-rest_bold.nii" in str(found)
    assert f"{WHOLE}, 2 files: request" in str(found)
    assert [row[-1] for row in found.table().rows] == [row.verdict for _, row in found.rows]
    assert "<table" in found._repr_html_()


def command(*words):
    return CliRunner().invoke(__main__.main, [*map(str, words)], catch_exceptions=False)


def test_the_command_has_a_row_for_each_file_or_all_ways_for_the_largest(dataset):
    content = json.loads(command("predict", dataset, "--method", WHOLE, "--json").output)
    assert content["mem_gb"] == mem_gb(dataset, WHOLE)
    assert [entry["method"] for entry in content["files"]] == ["mean_nibabel"] * 2
    assert "2 files" in command("predict", dataset, "--method", WHOLE).output
    assert "--mem=" in command("predict", dataset, "--method", WHOLE, "--slurm").output
    text = command("predict", dataset).output
    assert "sub-02_ses-1_task-rest_bold.nii: " in text
    assert "It is the largest of 2 files." in text


@pytest.mark.parametrize(("word", "option"), [("load", "--task"), (WHOLE, "--method")])
def test_a_task_or_method_in_the_place_of_a_file_is_told_its_option(dataset, word, option):
    with pytest.raises(DataError, match=re.escape(f"predict FILE {option} {word}?")):
        pipelines.images([dataset, word])


def test_a_file_that_is_named_like_a_task_may_be_missing_as_any_other(tmp_path):
    with pytest.raises(DataError, match="does not exist") as caught:
        pipelines.images(tmp_path / "load.nii.gz")
    assert "--" not in str(caught.value)


def test_limits_are_about_runs_alone(dataset):
    for option in ("--memory-limit", "--time-limit"):
        answer = command("predict", dataset, option, "1")
        assert answer.exit_code == 2
        assert "Limits are for the runs of --verify" in answer.output


def test_voxels_are_not_looked_at(tmp_path):
    path = save_run(tmp_path / "bold.nii.gz", shape=(20, 20, 10, 30))
    found = mem_gb(path, WAY)
    packed = path.read_bytes()
    path.write_bytes(packed[:2000] + b"\xff" * (len(packed) - 2000))
    with pytest.raises((OSError, EOFError, gzip.zlib.error)), gzip.open(path) as file:
        file.read()
    assert mem_gb(path, WAY) == found


COUNTED = """
import json
import sys

opened = []
def note(event, arguments):
    if event == "open":
        opened.append(str(arguments[0]))
sys.addaudithook(note)

from benchmarks import mem_gb
paths = sys.argv[2:]
for path in paths:
    mem_gb(path, sys.argv[1])
mem_gb(paths, sys.argv[1])
slow = {"nilearn", "matplotlib", "sphinx", "pandas", "sklearn", "jinja2", "IPython", "joblib"}
read = sum(name.endswith("reference/sizes.json") for name in opened)
print(json.dumps([read, sorted(slow & set(sys.modules))]))
"""


def test_costs_are_read_once_for_a_hundred_files_and_nothing_slow_is_imported(tmp_path):
    first = save_run(tmp_path / "0_bold.nii.gz")
    paths = [first] + [tmp_path / f"{number}_bold.nii.gz" for number in range(1, 100)]
    for path in paths[1:]:
        path.write_bytes(first.read_bytes())
    words = [sys.executable, "-c", textwrap.dedent(COUNTED), WAY, *paths]
    ran = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [1, []]


def test_what_cannot_be_told_is_said(tmp_path, fmri_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is a folder without a BOLD run"):
        mem_gb(tmp_path / "empty", WAY)
    with pytest.raises(DataError, match="There is no file"):
        mem_gb([], WAY)
    with pytest.raises(DataError, match=r"gone\.nii does not exist"):
        mem_gb([fmri_path, tmp_path / "gone.nii"], WAY)
    with pytest.raises(DataError, match=r"(?s)gone\.nii does not exist.*lost\.nii does not"):
        mem_gb([tmp_path / "gone.nii", fmri_path, tmp_path / "lost.nii"], WAY)
    plain = save_run(tmp_path / "plain_bold.nii")
    for name in ("mean_over_time.mean_isal", "many_images.loop_paths"):  # another ending, or never
        with pytest.raises(MethodError, match=rf"{name} is there, but not .* as plain_bold\.nii"):
            mem_gb(plain, name)
    with pytest.raises(MethodError, match=r"Did you mean mean_over_time\.mean_isal\?"):
        mem_gb(fmri_path, "mean_over_time.mean_isl")
    with pytest.raises(MethodError, match="List them with: fmri-bench predict"):
        mem_gb(fmri_path, "?")


def test_a_way_that_failed_on_small_files_cannot_be_asked_for(fmri_path, monkeypatch):
    known = pipelines.basis()
    failed = predict.Prediction("a", "b", None, None, None, "raised OSError: broken")
    monkeypatch.setattr(predict, "of_costs", lambda *_: failed)
    with pytest.raises(MethodError, match="raised OSError: broken"):
        pipelines.of_images(pipelines.images(fmri_path), WAY, known)
