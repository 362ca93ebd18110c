"""The package is a house of floors: imports go down only."""

import ast

import pytest

from benchmarks.files import PROJECT

PACKAGE = PROJECT / "benchmarks"

FLOORS = [
    {"errors"},
    {"units", "folders", "files", "memory", "procfs", "heap", "hidden", "families"},
    {
        "runs",
        "cells",
        "coarse",
        "coldness",
        "environments",
        "shmfiles",
        "snippets",
        "stops",
        "kernels",
        "sources",
    },
    {"quantities"},
    {"results", "gauge", "clock", "agreement", "made", "provenance", "headers"},
    {"expressions", "progress", "steps", "store", "tasks", "data", "watching"},
    {"claims", "copies", "reference", "columns"},
    {"figures", "keeper", "worker", "starting", "orders", "forms", "limits", "tables"},
    {"series", "runner", "known", "sizes"},
    {"comparison", "opening", "selfcheck", "tools", "costs", "plans"},
    {"prediction"},
    {"comparing"},
    {"calibration", "crossing", "growth", "lookup"},
    {"differences", "magics", "outlook", "own", "peers", "releases"},
    {"under", "clusters"},
    {"across"},
    {"judging"},
    {"__init__", "__main__", "noxfile", "sphinxext"},
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
MODULES = sorted(PACKAGE.rglob("*.py"))


def home(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path):
    """Yield the modules of this package that a module imports, at any level."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if node.level == 1 and path.parent == PACKAGE:
                yield from [node.module.split(".")[0]] if node.module else names
            elif node.module == "benchmarks":
                yield from names
            elif node.module and node.module.startswith("benchmarks."):
                yield node.module.split(".")[1]


def test_every_module_has_a_floor():
    assert {home(path) for path in MODULES} == set(FLOOR_OF)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path):
    own = FLOOR_OF[home(path)]
    for name in imported(path):
        assert FLOOR_OF[name] < own, f"{home(path)} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_and_functions_stay_short(path):
    text = path.read_text()
    assert len(text.splitlines()) < 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 40, node.name


def test_only_the_extension_imports_sphinx():
    for path in MODULES:
        if home(path) != "sphinxext":
            assert "import sphinx" not in path.read_text()
            assert "from sphinx" not in path.read_text()


def test_importing_the_package_imports_little():
    import subprocess
    import sys

    code = "import sys, benchmarks; print('numpy' in sys.modules or 'nibabel' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert answer.stdout.strip() == b"False"
