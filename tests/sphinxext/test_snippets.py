"""All code that the site shows to be copied runs when it is pasted into a new interpreter."""

import os
import re
import subprocess
import sys
import textwrap

import pytest
from conftest import save_run

from benchmarks.files import DOC, PROJECT
from benchmarks.tasks import pasted
from benchmarks.tasks import task as tasks

PAGES = sorted(DOC.glob("*.rst"))
EXAMPLES = tasks.example_paths()

#: Lines in which ``%`` is a command of IPython.
IPYTHON = "ipython"

#: Code that needs what no test has: a queue. test_many_images lets it write its job.
ON_A_CLUSTER = ("SLURMCluster(", "tcp://")

#: What stands in code for something of the reader's.
READERS = """
import nibabel as nib

fmri_path = "my_bold.nii.gz"


def my_function(path):
    return nib.load(path).get_fdata().mean()
"""

#: Methods that the page shows before such code, which calls them.
ABOVE = {"many_images-1": ("many_images", ["loop_paths", "failures"])}

#: A function of the example around such code, which stands for one of the reader's.
READERS_NAMES = re.compile(r"\bsmoothed\b")


def shown(directive):
    """Return what a directive of all pages names, once each."""
    found = [
        name
        for page in PAGES
        for name in re.findall(rf"^\s*\.\. {directive}:: (\S+)$", page.read_text(), re.MULTILINE)
    ]
    # A page shows how other projects name their tasks.
    names = dict.fromkeys(re.sub(r"@\w+", "", name) for name in found)
    theirs = {"sorting"}
    return [name for name in names if name.partition(".")[0] not in theirs]


def blocks(language):
    """Return the literal code of pages, of examples and of the README, by where it stands."""
    found = {}
    for path in [*PAGES, *sorted((PROJECT / "examples").glob("*.py"))]:
        text = re.sub(r"^# ?", "", path.read_text(), flags=re.MULTILINE)
        block = rf"^\.\. code-block:: {language}\n\n((?:(?:   .*)?\n)+)"
        for number, code in enumerate(re.findall(block, text, re.MULTILINE), 1):
            found[f"{path.stem}-{number}"] = textwrap.dedent(code)
    readme = (PROJECT / "README.md").read_text()
    for number, code in enumerate(re.findall(rf"```{language}\n(.*?)```", readme, re.DOTALL), 1):
        found[f"README-{number}"] = code
    return found


def literal():
    """Return code that pages take out of a file by its lines."""
    option = r"\.\. literalinclude:: (\S+\.py)\n   :start-at: (\S+)\n   :end-before: (.+)\n"
    return {
        f"{page.stem}-{start}": (page.parent / path).read_text().partition(f"\n{start}")[2]
        for page in PAGES
        for path, start, _ in re.findall(option, page.read_text())
    }


PYTHON = {
    where: code
    for where, code in blocks("python").items()
    if not any(words in code for words in ON_A_CLUSTER)
}


@pytest.fixture
def paste(tmp_path):
    """Return a function that runs code in a new interpreter, in a folder with a run."""
    save_run(tmp_path / "my_bold.nii.gz")
    save_run(tmp_path / "my_bold.nii")
    (tmp_path / "my_dataset/sub-01/func").mkdir(parents=True)
    save_run(tmp_path / "my_dataset/sub-01/func/sub-01_task-rest_bold.nii.gz")

    def run(code, *ipython):
        # What starts processes has to be in a file, under the guard, as their manuals say.
        (tmp_path / "pasted.py").write_text(code)
        done = subprocess.run(
            [sys.executable, *(ipython or ["pasted.py"])],
            cwd=tmp_path,
            env=os.environ | {"TMPDIR": str(tmp_path), "IPYTHONDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{code}\n{done.stderr}"
        return done.stdout

    return run


def code_of(name):
    """Return the code to copy of a method or helper, and how it is called."""
    task_name, _, function = name.rpartition(".")
    path = EXAMPLES[task_name] if task_name else pasted.shared().path
    found = pasted.pasted(path, function)
    assert "benchmarks" not in found.before + found.code
    return found.before + found.code


def test_the_pages_show_code_to_copy():
    assert len(shown("snippet")) > 20
    assert {"opened_image", "many_images.in_workers"} <= set(shown("recipe"))
    assert len(PYTHON) >= 3


@pytest.mark.parametrize("name", shown("snippet"))
def test_a_method_runs_when_it_is_pasted(name, paste):
    task_name, _, function = name.rpartition(".")
    task = tasks.task_named(task_name)
    if function in task.absent:
        pytest.skip(f"{task.absent[function]} is not installed")
    path = f"my_bold{task.method(function).ending or '.nii.gz'}"
    given = [path] * 2 if task.form else path
    call = f"if __name__ == '__main__':\n    print({function}({given!r}))\n"
    assert paste(f"{code_of(name)}\n\n{call}").strip()


#: How a helper is used, with what it needs; one that is no more than called by its name is not.
CALLS = {
    "opened_image": "with opened_image('my_bold.nii.gz') as img:\n    print(img.dataobj[..., 3])",
    "array_image": "print(array_image('my_bold.nii.gz').get_data_dtype())",
    "float32_header": "print(float32_header(nib.load('my_bold.nii.gz')))",
    "mean_and_signals": "print(mean_and_signals('my_bold.nii.gz', 'mean.nii', 'signals.npy'))",
    "attempted": "print(attempted('my_bold.nii.gz', 'my_bold.nii.gz', '.'))",
    "in_workers": "print(in_workers(['my_bold.nii.gz'] * 2, ['my_bold.nii.gz'] * 2))",
    "failures": "print(failures(['my_bold.nii.gz', 'other.nii'], [1, OSError('no')]))",
}


@pytest.mark.parametrize("name", shown("recipe"))
def test_a_helper_runs_when_it_is_pasted(name, paste):
    code = f"{code_of(name)}\n\nimport nibabel as nib\n\nif __name__ == '__main__':\n"
    printed = paste(code + textwrap.indent(CALLS[name.rpartition(".")[2]], "    "))
    assert printed.strip()
    assert "Error(" not in printed or name.endswith("failures")


@pytest.mark.parametrize("where", literal())
def test_lines_of_a_file_run_when_they_are_pasted(where, paste):
    start = where.rpartition("-")[2]
    code = literal()[where].partition("# %%")[0]
    lines = f"{start}{code}".partition("\n\n\n")[0]
    assert paste(f"{lines}\nprint({start})").strip()


@pytest.mark.parametrize("where", PYTHON)
def test_literal_code_runs_when_it_is_pasted(where, paste):
    code = READERS_NAMES.sub("my_function", PYTHON[where])
    lines = textwrap.indent(f"{code}\nprint('came to its end')", "    ")
    above = READERS
    if where in ABOVE:
        task_name, functions = ABOVE[where]
        above += pasted.together(EXAMPLES[task_name], functions)
    printed = paste(f"{above}\n\nif __name__ == '__main__':\n{lines}")
    assert printed.endswith("came to its end\n")


def test_the_script_for_a_data_set_leaves_the_signals_of_its_runs(paste, tmp_path):
    test_literal_code_runs_when_it_is_pasted("many_images-1", paste)
    assert len(list((tmp_path / "results").glob("sub-01_*_signals.npy"))) == 1


@pytest.mark.parametrize("where", blocks(IPYTHON))
def test_lines_for_ipython_run_there(where, paste):
    lines = READERS_NAMES.sub("my_function", blocks(IPYTHON)[where])
    shell = ["-m", "IPython", "--no-banner", "--colors=NoColor", "-c"]
    assert "Error" not in paste(READERS, *shell, f"%run pasted.py\n{lines}")


def test_all_code_of_the_pages_is_looked_at():
    """No page shows code in a way that the tests above do not know."""
    for page in PAGES:
        text = page.read_text()
        assert ":pyobject:" not in text, page.name
        languages = set(re.findall(r"code-block:: (\w+)", text))
        assert languages <= {"python", IPYTHON, "console", "rst", "text"}, page.name
        assert len(re.findall("literalinclude:: ", text)) == len(
            [where for where in literal() if where.startswith(f"{page.stem}-")]
        )
