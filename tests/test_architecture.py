"""The package is a house of wings: the folder listing shows it, and the contracts hold it up."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.files import PACKAGE, PROJECT

MODULES = sorted(PACKAGE.rglob("*.py"))
WINGS = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))

#: What a worker may have of this package, and of others, before it reads its order.
WORKERS_OWN = {
    "errors", "gauge", "gauge.clock", "gauge.conditions", "gauge.fallback", "gauge.procfs",
    "gauge.readings", "runner", "runner.order", "runner.worker", "tasks", "tasks.agreement",
    "units",
}  # fmt: skip
WORKERS_PACKAGES = {"numpy", "psutil"}

#: Helpers of compiled code, as which older releases of numpy are written.
COMPILED = {"cython_runtime"}


def contracts(folder):
    """Check the contracts of `pyproject.toml` on the package in a folder."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path):
    """Copy the package, so that a test may break it."""
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    ignored = shutil.ignore_patterns("*.json", "__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "benchmarks", ignore=ignored)
    return tmp_path


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("", "", ""),
        ("gauge/clock.py", "import nibabel", "knows no image"),
        ("report/plots.py", "import nilearn.image", "knows no image"),
        ("runner/execute.py", "import benchmarks.tasks.chapter", "knows no image"),
        ("claims/judge.py", "import benchmarks.images.image", "Imports go down"),
        ("results/store.py", "import benchmarks.runner.order", "Imports go down"),
        ("comparisons/compare.py", "import sphinx", "Only the extension"),
    ],
)
def test_the_contracts_hold_and_notice_what_breaks_them(copy, module, line, contract):
    if module:
        path = copy / "benchmarks" / module
        path.write_text(f"{path.read_text()}\n\ndef _broken():\n    {line}\n")
    answer = contracts(copy)
    said = [line for line in answer.stdout.splitlines() if contract in line and "BROKEN" in line]
    assert (answer.returncode, bool(said)) == ((1, True) if module else (0, False)), answer.stdout


def test_the_listing_is_short():
    entries = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 20
    for wing in WINGS:
        assert len(list(wing.glob("*.py"))) <= 12, wing


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_and_functions_stay_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 40, node.name


@pytest.mark.parametrize("wing", WINGS, ids=lambda path: path.name)
def test_a_wing_begins_with_what_it_is_for_alone(wing):
    if wing.name == "sphinxext":  # Sphinx calls what is in it
        return
    (docstring,) = ast.parse((wing / "__init__.py").read_text()).body
    assert isinstance(docstring.value.value, str)


def test_the_harness_names_no_task_and_no_method():
    examples = [path.stem.removeprefix("plot_") for path in (PROJECT / "examples").glob("*.py")]
    names = {name for name in examples if "_" in name}
    for path in (PROJECT / "examples").glob("*.py"):
        functions = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)]
        names |= {function.name for function in functions if "_" in function.name}
    harness = ("gauge", "tasks", "results", "runner", "report", "claims")
    for path in [*PACKAGE.glob("*.py"), *(p for w in harness for p in (PACKAGE / w).glob("*.py"))]:
        if path.name in ("chapter.py", "__main__.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in names, f"{path.name} names {node.value}"


def test_importing_the_package_imports_little():
    code = "import sys, benchmarks; print('numpy' in sys.modules or 'nibabel' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert answer.stdout.strip() == b"False"


def test_a_worker_brings_along_as_little_as_it_can():
    code = (
        "import json, sys; before = set(sys.modules)\n"
        "import benchmarks.runner.worker\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = json.loads(answer.stdout)
    ours = {name.partition(".")[2] for name in loaded if name.startswith("benchmarks.")}
    assert ours == WORKERS_OWN
    others = {name.partition(".")[0] for name in loaded} - {"benchmarks"}
    installed = {name for name in others if name not in sys.stdlib_module_names}
    assert {name for name in installed if not name.startswith("_")} - COMPILED == WORKERS_PACKAGES
