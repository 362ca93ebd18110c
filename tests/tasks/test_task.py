import functools
import os
import re
import subprocess
import sys

import pytest

from benchmarks import recipes
from benchmarks.errors import MethodError
from benchmarks.files import EXAMPLES, PROJECT
from benchmarks.tasks import source as sources
from benchmarks.tasks import task as task_module
from benchmarks.tasks import task as tasks

SOURCE = '''
import numpy as np
FACTOR = 2

def helper(x):
    """Multiply."""
    return x * FACTOR

def double(fmri_path):
    """Double it."""
    values = [helper(n) for n in range(3)]
    return np.array(values)

METHODS = [double]
'''


def digest(example, source):
    return tasks.from_functions(example(source)).methods[0].source_sha256


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    values =", "    # A comment.\n    values ="),
        ("Double it.", "Multiply by two."),
        ("Multiply.", "A better sentence."),
        ("\ndef double", "\n\n\ndef other(): return 1\n\ndef double"),
    ],
)
def test_prose_and_other_code_do_not_change_a_method(example, old, new):
    assert digest(example, SOURCE) == digest(example, SOURCE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("range(3)", "range(4)"),
        ("x * FACTOR", "x + FACTOR"),
        ("FACTOR = 2", "FACTOR = 3"),
        ("import numpy as np", "import math as np"),
    ],
)
def test_its_code_and_what_it_uses_in_its_file_do(example, old, new):
    assert digest(example, SOURCE) != digest(example, SOURCE.replace(old, new))


USING = """
import functools
import numpy as np
NAMES = {names}
TABLE = np.arange(2000) * {factor}

@functools.cache
def cached(n):
    return n + {added}

class Grid:
    size = {size}

    def cells(self):
        return self.size * {cells}

    @property
    def edge(self):
        return self.size - {edge}

def around():
    power = {power}

    def method(fmri_path):
        return cached(3), Grid(), TABLE, sorted(NAMES), power

    return method

METHODS = [around()]
"""
USED = {
    "names": '{"a", "b", "c", "d"}',
    "factor": "1",
    "added": "1",
    "size": "1",
    "cells": "1",
    "edge": "1",
    "power": "1",
}


@pytest.mark.parametrize("name", USED)
def test_caches_classes_closures_and_large_constants_belong_to_a_method(example, name):
    before, again, after = (
        digest(example, USING.format_map(USED | changed))
        for changed in ({}, {}, {name: USED[name].replace("1", "2").replace("d", "e")})
    )
    assert before == again
    assert before != after


def test_what_a_default_is_belongs_to_a_method(example):
    code = (
        "COUNT = 1\n\n\ndef method(path, count=COUNT):\n    return count\n\n\nMETHODS = [method]\n"
    )
    assert digest(example, code) == digest(example, code)
    assert digest(example, code) != digest(example, code.replace("COUNT = 1", "COUNT = 2"))


def test_a_set_has_the_same_digest_in_every_process(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "NAMES = set('abcdefgh')\nMANY = {'a': [(NAMES,), NAMES]}\n\n\n"
        "def method(_):\n    return NAMES, MANY\n"
    )
    code = (
        "import runpy, sys; from benchmarks.tasks.source import source_sha256; "
        "print(source_sha256(runpy.run_path(sys.argv[1])['method']))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code, path],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


SHARING = """
from benchmarks.recipes import opened_image
def method(fmri_path):
    with opened_image(fmri_path) as img:
        return img.dataobj[..., 0]
METHODS = [method]
"""


def test_what_examples_share_belongs_to_a_method(example, monkeypatch):
    (method,) = example(SHARING)
    assert sources.imports(method) == ("isal.igzip", "nibabel")
    assert sources.uses(method, "isal")
    assert tasks.from_functions([method]).methods[0].family == "nibabel"
    before = sources.source_sha256(method)
    monkeypatch.setitem(recipes.opened_image.__wrapped__.__globals__, "igzip", 3)
    assert sources.source_sha256(method) != before


def test_an_example_is_read_without_running_its_guard(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SOURCE + "\nTOLERANCE = 0.5\nif __name__ == '__main__':\n    raise OSError\n")
    task = tasks.from_example(path)
    assert (task.name, task.tolerance, task.path) == ("mine", 0.5, path)
    assert (task.methods[0].name, task.methods[0].summary) == ("double", "Double it.")


def test_an_edited_copy_of_an_example_is_not_taken_for_it(tmp_path):
    copy = tmp_path / "plot_load.py"
    copy.write_text((EXAMPLES / "plot_load.py").read_text())
    assert tasks.from_example(copy).name == "plot_load"
    assert tasks.from_example(EXAMPLES / "plot_load.py").name == "load"


def test_every_example_has_a_task_of_its_name():
    assert {"load", "mean_over_time"} <= set(tasks.example_paths())


def test_what_cannot_be_measured_is_refused(example, tmp_path):
    with pytest.raises(MethodError, match="METHODS is empty"):
        tasks.from_functions([])
    with pytest.raises(MethodError, match="no plain function"):
        tasks.from_functions([len])
    (double,) = example(SOURCE)
    with pytest.raises(MethodError, match="same name: double, double"):
        tasks.from_functions([double, double])
    made = {}
    exec("def made(fmri_path): return 1", made)  # noqa: S102
    with pytest.raises(MethodError, match="source of made cannot be read"):
        tasks.from_functions([made["made"]])
    (tmp_path / "broken.py").write_text("METHODS = []\n1 / 0\n")
    with pytest.raises(MethodError, match=r"broken\.py cannot be run: ZeroDivisionError"):
        tasks.from_example(tmp_path / "broken.py")
    (tmp_path / "none.py").write_text("x = 1\n")
    with pytest.raises(MethodError, match="no list METHODS"):
        tasks.from_example(tmp_path / "none.py")
    with pytest.raises(MethodError, match="it has: double"):
        tasks.from_functions([double]).method("triple")


def test_methods_of_one_list_belong_together(example):
    source = """
    def a(path): return 1
    def b(path): return 1
    def c(path): return 2
    METHODS = [[a, b], [c]]
    """
    task = tasks.from_functions(example(source))
    assert [(method.name, method.group) for method in task.methods] == [
        ("a", 0),
        ("b", 0),
        ("c", 1),
    ]
    flat = tasks.from_functions([method.function for method in task.methods])
    assert {method.group for method in flat.methods} == {0}


def test_a_method_that_finds_a_cold_file_is_another_one(example):
    source = """
    def warm(path): return 1
    def cold(path): return 1
    METHODS = [warm, cold]
    """
    (warm, cold) = tasks.from_functions(example(source)).methods
    assert (warm.cache, cold.cache) == (None, None)
    named = tasks.from_functions(example(source + 'COLD_CACHE = ["cold"]\n')).methods
    assert [method.cache for method in named] == [None, "cold"]
    assert named[0].source_sha256 == warm.source_sha256
    assert named[1].source_sha256 != cold.source_sha256


def with_program(folder, name, version):
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho 'the program, release {version}'\n")
    program.chmod(0o755)


def test_a_method_whose_program_is_not_installed_is_left_out(example, tmp_path, monkeypatch):
    source = """
    PROGRAMS = {"outside": "a-program-of-this-test"}
    def inside(path): return 1
    def outside(path): return 1
    METHODS = [inside, outside]
    """
    functions = example(source)
    task = tasks.from_functions(functions)
    assert [method.name for method in task.methods] == ["inside"]
    assert task.absent == {"outside": "a-program-of-this-test"}
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    digests = []
    for version in ("1.2", "1.3"):
        with_program(tmp_path / "bin", "a-program-of-this-test", version)
        task_module.program_version.cache_clear()
        task = tasks.from_functions(functions)
        assert [method.program for method in task.methods] == ["", "a-program-of-this-test"]
        assert task.absent == {}
        assert task_module.program_version("a-program-of-this-test") == version
        digests.append(task.methods[1].source_sha256)
    assert digests[0] != digests[1]


def test_a_program_that_says_no_version_has_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    with_program(tmp_path / "bin", "silent-program", "none")
    assert task_module.program_version("silent-program") == ""
    assert task_module.program_version("no-such-program") == ""


def test_a_method_names_a_package_itself_or_in_a_helper(example):
    source = """
    import json
    from indexed_gzip import IndexedGzipFile
    def helper(path): return IndexedGzipFile(path)
    def direct(path): return IndexedGzipFile(path)
    def through(path): return helper(path)
    def inside(path):
        import indexed_gzip
        return indexed_gzip
    def without(path): return json.dumps(path)
    METHODS = [direct, through, inside, without]
    """
    named = [sources.uses(function, "indexed_gzip") for function in example(source)]
    assert named == [True, True, True, False]
    assert not sources.uses(len, "indexed_gzip")


def test_a_method_belongs_to_the_family_of_what_it_uses(example):
    functions = example(
        """
        import nibabel as nib
        from nilearn.image import load_img
        def with_nilearn(path): return load_img(nib.load(path))
        def with_nibabel(path): return nib.load(path)
        def chosen(path): return nib.load(path)
        def outside(path): return path
        def own(path): return path
        RECOMMENDED = ["chosen"]
        PROGRAMS = {"outside": "sh"}
        METHODS = [with_nilearn, with_nibabel, chosen, outside, own]
        """
    )
    families = [method.family for method in tasks.from_functions(functions).methods]
    assert families == ["nilearn", "nibabel", "recommended", "program", ""]


def test_what_is_recommended_is_what_the_page_of_choices_shows():
    page = (PROJECT / "doc" / "which_way.rst").read_text()
    shown = set(re.findall(r"^\.\. snippet:: (\w+)(?:@\w+)?\.(\w+)$", page, re.MULTILINE))
    found = {
        (name, method.name)
        for name, path in tasks.example_paths().items()
        for method in tasks.from_example(path).methods
        if method.family == "recommended"
    }
    assert found == shown


def test_a_decorated_function_has_the_source_that_was_written():
    def wrapped(function):
        @functools.wraps(function)
        def wrapper(fmri_path):
            return function(fmri_path)

        return wrapper

    @wrapped
    def decorated(fmri_path):
        return len(fmri_path)

    assert len(sources.source_sha256(decorated)) == 64
