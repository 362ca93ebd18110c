"""Every command of README.md and of the pages runs as it is pasted, in a fresh clone."""

import functools
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import room
from conftest import save_run

from benchmarks.files import DOC, EXAMPLES, PROJECT

DOCUMENTS = [PROJECT / "README.md", *sorted(DOC.glob("*.rst")), *sorted(EXAMPLES.glob("*.py"))]

#: Why a command is not run here, by what it begins with.
NOT_RUN = {
    r"make (html|test|check)( FMRI=.*)?$": "takes minutes; .ci/run does this with every change",
    r"make html FMRI=\S+ MEMORY_LIMIT=": "takes minutes; that a build knows both limits is tested",
    r"make html MEASURE=0$": "takes a minute; make test builds so where there is no site",
    r"python my_workflow\.py ": "is for the reader's own copy of the script",
    r"pip install ": "needs a network; the tests need these packages, too",
    r"make install$": "needs a network; make html and make test install by the same rule",
    r"make releases": "needs a network, and takes an hour; a workflow does it each week",
    r"make dist$": "tests/test_wheel.py builds and checks both, and runs what is installed",
    r"elsewhere/|python3 -m venv elsewhere": "tests/test_wheel.py installs the wheel so",
    r"\S+ calibrate( --prove)?$": "takes minutes; tests/prediction/test_calibrate.py runs both",
    r"\S+ predict my_dataset": "is for a data set; tests/prediction/test_pipelines.py makes one",
    r"\S+ submit": "takes minutes; tests/comparisons/test_own_file.py does it for one task",
    r"\S+ run .* --scheduler": "asks for a scheduler of the reader; tests/examples start one",
}


def commands(path):
    """Return the commands that a document shows behind a dollar sign, without comments."""
    lines = re.findall(r"^(?:#?[ ]+)?\$ (.+)$", path.read_text(), re.MULTILINE)
    return [line.partition("  #")[0].strip() for line in lines]


def blocks(path, language):
    """Return the blocks of a language that a document shows."""
    text = path.read_text()
    if path.suffix == ".md":
        return re.findall(rf"```{language}\n(.+?)```", text, re.DOTALL)
    pattern = rf"\.\. code-block:: {language}\n\n((?:   .*\n|\n)+)"
    return [textwrap.dedent(found) for found in re.findall(pattern, text)]


SHOWN = [(path.name, line) for path in DOCUMENTS for line in commands(path)]
#: What several documents show runs once, but for what has its meaning from the line behind it.
ONCE = [
    (name, line)
    for number, (name, line) in enumerate(SHOWN)
    if line.startswith("cd ") or line not in {earlier for _, earlier in SHOWN[:number]}
]
SESSIONS = [
    (path.name, block)
    for path in (PROJECT / "README.md", DOC / "your_own_data.rst")
    for block in blocks(path, "ipython")
    if "%measure" in block  # test_snippets runs the others
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Copy what a commit would hold, with an environment, and a run as the readers have one."""
    git = shutil.which("git")
    if git is None or not (PROJECT / ".git").exists():
        pytest.skip("not a checkout: what a clone would hold is not known")
    folder = tmp_path_factory.mktemp("clone")
    words = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    save_run(folder / "my_bold.nii.gz", shape=(20, 20, 10, 16))
    with room.alone():  # the gauge is checked once, and its check is then known
        answer = carried_out(folder, [".venv/bin/fmri-bench", "run", "load", "my_bold.nii.gz"])
    assert answer.returncode == 0, answer.stderr
    return folder


def carried_out(folder, command, **options):
    """Run a command in a clone, which keeps its results from one command to the next."""
    own = {name: value for name, value in os.environ.items() if name != "FMRI_BENCH_RESULTS"}
    return subprocess.run(
        command,
        cwd=folder,
        # The environment knows this package by the place that it was installed from.
        env=own | {"PYTHONPATH": str(folder), "XDG_DATA_HOME": str(folder / "data"), "RUNS": "1"},
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@pytest.fixture
def ran(clone):
    """Return a function that runs a command, or what is given to one, in the clone."""
    return functools.partial(carried_out, clone)


@pytest.mark.parametrize(("document", "command"), ONCE)
def test_a_command_runs_as_it_is_pasted(document, command, ran):
    for beginning, reason in NOT_RUN.items():
        if re.match(beginning, command):
            pytest.skip(reason)
    if command.startswith("cd "):  # it is pasted with the line behind it
        following = commands(next(path for path in DOCUMENTS if path.name == document))
        command = f"{command} && {following[following.index(command) + 1]}"
    elif command.startswith("../"):
        pytest.skip("runs with the line before it")
    answer = ran(command, shell=True)  # noqa: S604 - as it is pasted
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout


@pytest.mark.parametrize(("document", "session"), SESSIONS)
def test_a_session_of_ipython_runs_as_it_is_pasted(document, session, ran):
    # What stands before it in the same document was pasted before it.
    before = "".join(blocks(PROJECT / document, "python")) if document.endswith(".md") else ""
    words = [Path(sys.executable), "-m", "IPython", "--no-banner", "--colors=NoColor"]
    answer = ran(words, input=f"{before}\n{session}\n")
    assert re.search(r"peak +[\d.]+", answer.stdout), answer.stdout + answer.stderr
    assert "Error" not in answer.stdout


def test_the_figures_of_measure_are_there_as_the_readme_says(ran):
    (code,) = blocks(PROJECT / "README.md", "python")
    lines = code.rstrip().splitlines()
    answer = ran([sys.executable, "-c", "\n".join([*lines[:-1], f"print({lines[-1]})"])])
    assert "ok" in answer.stdout, answer.stderr


def test_make_alone_prints_every_target(ran):
    answer = ran(["make"])
    for target in re.findall(r"make ([a-z]+)", (PROJECT / "README.md").read_text()):
        assert f"make {target} " in answer.stdout


@pytest.mark.parametrize("beginning", NOT_RUN)
def test_no_reason_is_left_over(beginning):
    assert any(re.match(beginning, command) for _, command in SHOWN)


def test_the_commands_are_found():
    found = {document for document, _ in SHOWN}
    assert {"README.md", "your_own_data.rst", "releases.rst", "plot_before_you_start.py"} <= found
    assert len(SHOWN) > 20
    assert len(SESSIONS) == 2
