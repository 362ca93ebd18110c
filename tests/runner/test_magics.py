"""``%measure`` where people use it: in IPython, and in a notebook that Jupyter's kernel runs."""

import os
import re
import subprocess
import sys
import textwrap

import nbformat
import pytest
from IPython.core.error import UsageError
from IPython.testing.globalipapp import start_ipython
from nbclient import NotebookClient

from benchmarks.errors import MethodError
from benchmarks.runner.known_calls import Known, nothing
from benchmarks.tasks import snippets
from benchmarks.units import MIB

pytestmark = pytest.mark.alone

PROMISE_MIB = Known("", nothing, (), 0).bound_bytes / MIB


@pytest.fixture(scope="module")
def shell():
    found = start_ipython()
    found.run_line_magic("load_ext", "benchmarks")
    return found


@pytest.fixture(autouse=True)
def _fresh(shell):
    shell.user_ns.update({"np": __import__("numpy"), "MIB": MIB})


def measured(shell, line, cell=None):
    if cell is None:
        return shell.run_line_magic("measure", f"-r 2 -o {line}")
    return shell.run_cell_magic("measure", f"-r 2 -o {line}", textwrap.dedent(cell))


def test_an_expression_has_time_peak_and_kept(shell, capsys):
    result = measured(shell, "np.ones(32 * MIB, 'u1')")
    assert result.peak_bytes.median == pytest.approx(32 * MIB, abs=MIB)
    assert result.kept_bytes.median == pytest.approx(32 * MIB, abs=MIB)
    printed = capsys.readouterr().out
    # A noisy time gets more runs than were asked for.
    assert re.search(r"^time  .*s \(.* [29] runs\)$", printed, re.MULTILINE)
    assert abs(_mebibytes("peak", printed) - 32) <= PROMISE_MIB
    assert abs(_mebibytes("kept", printed) - 32) <= PROMISE_MIB


def test_functions_and_arrays_of_the_session_travel(shell):
    shell.run_cell("scale = 3\ndef larger(a):\n    return [a + scale, a - scale]")
    shell.user_ns["array"] = __import__("numpy").zeros(8 * MIB, "u1")
    result = measured(shell, "larger(array)")
    assert result.kept_bytes.median == pytest.approx(16 * MIB, abs=MIB)


def test_a_cell_keeps_what_its_names_hold_and_leaves_no_name_behind(shell):
    result = measured(
        shell,
        "",
        """
        first = np.ones(32 * MIB, 'u1')
        second = first[:8].copy()
        del first
        """,
    )
    assert result.peak_bytes.median == pytest.approx(32 * MIB, abs=MIB)
    assert result.kept_bytes.median < MIB
    assert "second" not in shell.user_ns


def test_what_cannot_travel_is_an_error_that_names_it(shell):
    shell.user_ns["volumes"] = (volume for volume in range(3))
    with pytest.raises(UsageError, match="volumes, of type generator, cannot be sent"):
        measured(shell, "sum(volumes)")
    del shell.user_ns["volumes"]


def test_an_attribute_is_no_name(shell):
    shell.user_ns["mean"] = (volume for volume in range(3))
    assert measured(shell, "np.ones(3).mean()").status == "ok"
    del shell.user_ns["mean"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 +", "This is no Python"),
        ("", "nothing to measure"),
        ("1 / 0", "ZeroDivisionError"),
        ("unknown_name", "NameError"),
    ],
)
def test_code_that_fails_is_a_sentence(shell, line, message):
    with pytest.raises(UsageError, match=message):
        measured(shell, line)


def test_a_line_above_a_cell_has_options_alone(shell):
    with pytest.raises(UsageError, match=r"put print\(1\) below it"):
        shell.run_cell_magic("measure", "-r 1 print(1)", "2")


def test_the_number_of_runs_has_to_be_one(shell):
    with pytest.raises(UsageError, match="-r two"):
        shell.run_line_magic("measure", "-r two 1")


def test_a_module_of_the_folder_that_one_works_in_can_be_imported(shell, tmp_path, monkeypatch):
    (tmp_path / "beside_the_notebook.py").write_text("def three():\n    return 3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    shell.run_cell("import beside_the_notebook")
    assert measured(shell, "beside_the_notebook.three()").status == "ok"


def test_the_value_and_the_names_that_code_makes_are_kept():
    assert snippets.run("a = b + 1\na * 2", {"b": 1})[1] == 4
    assert snippets.run("a = b + 1", {"b": 1})[0]["a"] == 2
    assert "b" not in snippets.run("a = b + 1", {"b": 1})[0]
    assert snippets.names("x.y(z)") == {"x", "z"}
    with pytest.raises(MethodError):
        snippets.names("\0")


def test_it_works_in_ipython_itself(tmp_path, fmri_path):
    code = f"""
        %load_ext benchmarks
        import nibabel as nib
        def load(path):
            return nib.load(path).get_fdata()
        %measure -r 1 load({str(fmri_path)!r})
    """
    script = tmp_path / "session.ipy"
    script.write_text(textwrap.dedent(code))
    answer = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", script],
        env=os.environ | {"IPYTHONDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r"^time  .*1 run\)$", answer.stdout, re.MULTILINE), answer.stderr
    assert "kept  " in answer.stdout


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_works_in_a_notebook(tmp_path):
    cells = [
        "%load_ext benchmarks\nimport numpy as np\nsize = 32 * 2**20",
        "%measure -r 1 np.ones(size, 'u1')",
        "%%measure -r 1\na = np.ones(size, 'u1')\nb = a + 1",
        "'a' in dir()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    NotebookClient(notebook, timeout=300).execute(cwd=str(tmp_path))
    texts = [
        "".join(o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in c.outputs)
        for c in notebook.cells
    ]
    assert abs(_mebibytes("peak", texts[1]) - 32) <= PROMISE_MIB
    assert abs(_mebibytes("kept", texts[2]) - 64) <= PROMISE_MIB
    assert texts[3] == "False"


def _mebibytes(name, text):
    return float(re.search(rf"^{name}  ([\d.]+)\xa0MiB", text, re.MULTILINE)[1])
