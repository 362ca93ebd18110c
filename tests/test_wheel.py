"""What is released works where there is no repository: no Makefile, no Sphinx, an empty folder."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from conftest import save_run

from benchmarks.files import PROJECT
from benchmarks.releases.environments import tomllib
from benchmarks.tasks.task import example_paths

#: In the new environment, as if the extra "doc" were not installed.
WITHOUT_SPHINX = """
import sys

class Refused:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in ("sphinx", "docutils", "sphinx_gallery", "sphinxcontrib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refused)
"""

#: What only a Makefile can do.
TARGETS = re.compile(
    rf"\bmake ({'|'.join(re.findall('(?m)^([a-z]+):', (PROJECT / 'Makefile').read_text()))})\b"
)

#: In a session of IPython: an expression under the gauge.
MEASURED = "%load_ext benchmarks\n%measure -r 1 sum(range(1000))\n"


def called(*words, **options):
    """Run a command to its end, and return it."""
    return subprocess.run(
        list(map(str, words)), capture_output=True, text=True, check=False, **options
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build wheel and source distribution, as a release has them."""
    folder = tmp_path_factory.mktemp("dist")
    answer = called(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=PROJECT)
    assert answer.returncode == 0, answer.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Install the wheel alone into a new environment, and return the folder of its programs.

    What it depends on is taken from the environment that runs the tests, since there may be no
    network. That one's own copy of the package comes behind the installed one.
    """
    folder = tmp_path_factory.mktemp("installed")
    called(sys.executable, "-m", "venv", folder / "venv")
    programs = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(called(programs / "python", "-c", code).stdout.strip())
    words = ("install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check")
    answer = called(programs / "python", "-m", "pip", *words, wheel)
    assert answer.returncode == 0, answer.stderr
    (packages / "without_sphinx.py").write_text(WITHOUT_SPHINX)
    shared = sysconfig.get_path("purelib")
    (packages / "shared.pth").write_text(f"{shared}\nimport without_sphinx\n")
    return programs


@pytest.fixture
def ask(installed, tmp_path, monkeypatch):
    """Return a function that runs a program of the installation in an empty folder."""
    monkeypatch.delenv("FMRI_BENCH_RESULTS")  # which would hide where an installation has them
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "empty"
    folder.mkdir()

    def run(program, *words, **options):
        answer = called(installed / program, *words, cwd=folder, **options)
        assert not TARGETS.search(answer.stdout + answer.stderr), answer
        assert not [*folder.iterdir()]
        return answer

    return run


def test_it_brings_the_examples_and_the_reference_results(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    examples = {Path(name).name for name in names if name.startswith("benchmarks/examples/")}
    assert examples == {path.name for path in (PROJECT / "examples").glob("*.py")}
    for name in ("run", "sizes"):
        assert f"benchmarks/results/reference/{name}.json" in names
    assert {name.partition("/")[0].rpartition(".")[2] for name in names} == {
        "benchmarks",
        "dist-info",
    }


def test_it_is_that_copy_which_runs(ask, installed):
    answer = ask("python", "-c", "import benchmarks; print(benchmarks.__file__)")
    assert Path(answer.stdout).is_relative_to(installed.parent)
    answer = ask("python", "-c", "import sphinx")
    assert "No module named 'sphinx'" in answer.stderr


def test_it_lists_the_tasks(ask):
    found = json.loads(ask("fmri-bench", "list", "--json").stdout)
    assert [entry["task"] for entry in found] == list(example_paths())


def test_it_predicts_from_the_reference_results(ask, tmp_path):
    path = save_run(tmp_path / "bold.nii.gz", shape=(20, 20, 10, 8))
    answer = ask("fmri-bench", "predict", path, "--json")
    predicted = json.loads(answer.stdout)
    assert "another machine" in predicted["basis"]
    peaks = {row["method"]: row["peak_bytes"] for row in predicted["methods"]}
    assert peaks["get_fdata"] > peaks["nibabel_load"]


def test_it_measures_a_file_and_keeps_the_results_of_the_reader_apart(ask, tmp_path):
    path = save_run(tmp_path / "bold.nii.gz", shape=(20, 20, 10, 8))
    answer = ask("fmri-bench", "run", "mean_over_time", path, "--runs", 1)
    assert "mean_volume_by_volume" in answer.stdout, answer.stderr
    assert "limit" in answer.stdout
    assert [*(tmp_path / "data").rglob("*.json")]


def test_it_measures_in_ipython(ask):
    answer = ask("python", "-m", "IPython", "--no-banner", input=MEASURED)
    assert "peak" in answer.stdout, answer.stdout + answer.stderr


@pytest.mark.parametrize("name", ["check", "releases", "reference"])
def test_what_is_about_the_pages_says_that_it_needs_the_repository(ask, name):
    answer = ask("fmri-bench", name)
    assert answer.returncode == 2
    assert "Run it in a checkout" in answer.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("run", "no_such_task", "bold.nii.gz"),
        ("run", "load", "no_such_file.nii.gz"),
        ("predict", "no_such_file.nii.gz"),
        ("--help",),
        ("run", "--help"),
        ("releases", "--help"),
    ],
)
def test_no_message_advises_make(ask, words):
    # `ask` looks for that; here, that there is a message at all.
    answer = ask("fmri-bench", *words)
    assert answer.stdout or answer.stderr.startswith("Error: ")


def test_without_results_the_advice_is_a_command_that_there_is(ask):
    code = (
        "from benchmarks.claims.lookup import ADVICE; from benchmarks.results import "
        "reference_store; from benchmarks.releases.measure import ADVICE as other; "
        "print(ADVICE, reference_store.ADVICE, other)"
    )
    assert "fmri-bench measure" in ask("python", "-c", code).stdout
    assert TARGETS.search("Measure it with: make html.")


def test_a_release_is_as_an_index_of_packages_wants_it(built):
    answer = called(sys.executable, "-m", "twine", "check", "--strict", *built.iterdir())
    assert answer.returncode == 0, answer.stdout
    assert answer.stdout.count("PASSED") == 2


def test_the_source_distribution_has_what_the_repository_has(built):
    git = shutil.which("git")
    if git is None or not (PROJECT / ".git").exists():
        pytest.skip("not a checkout: what belongs to the project is not known")
    listed = called(git, "ls-files", cwd=PROJECT).stdout.splitlines()
    kept = {name for name in listed if (PROJECT / name).exists()}
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert kept <= names
    assert not {name for name in names if name.endswith((".nii", ".nii.gz", ".pyc"))}


def test_the_version_stands_in_one_place_and_the_others_follow():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert citation["title"]
    answer = called(Path(sys.executable).with_name("fmri-bench"), "--version", env=os.environ)
    assert answer.stdout.split()[-1] == project["version"]
    first = re.search(r"^## (.+)$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    assert first == "Unreleased" or first.startswith(f"{project['version']} ("), first
