"""A function as code to paste: what it needs stands before it, and nothing else."""

import textwrap

import pytest

from benchmarks.errors import FigureError
from benchmarks.tasks.pasted import pasted

SOURCE = """
import os
import json as js
from pathlib import Path, PurePath

import numpy as np
from benchmarks.recipes import file_key, whole_file

FACTOR = 2
OTHER = 3


def helper(x):
    return x * FACTOR


def not_needed(x):
    return js.dumps(x)


@staticmethod
def decorated(helper):
    return os.fspath(helper)


def method(fmri_path):
    OTHER = 4
    with whole_file(fmri_path) as unfinished:
        return [helper(np.sum(Path(unfinished))) for _ in range(OTHER)]


def recursive(n):
    return recursive(n - 1) if n else 0
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "plot_mine.py"
    path.write_text(textwrap.dedent(SOURCE))
    return path


def test_what_a_function_needs_stands_before_it_and_nothing_else(path):
    found = pasted(path, "method")
    assert found.before.startswith(
        "import contextlib\nimport os\nimport tempfile\nfrom pathlib import Path\n\n"
        "import numpy as np\n\n\n@contextlib.contextmanager\ndef whole_file(path):\n"
    )
    assert found.before.endswith("\n\nFACTOR = 2\n\n\ndef helper(x):\n    return x * FACTOR\n\n\n")
    assert found.code.startswith("def method(fmri_path):\n")
    for name in ("not_needed", "js", "PurePath", "OTHER = 3", "file_key", "benchmarks"):
        assert name not in found.before
    assert [one.name for one in found.paths] == ["plot_mine.py", "recipes.py"]


def test_arguments_and_a_function_itself_are_no_helpers(path):
    assert pasted(path, "decorated").before == "import os\n\n\n"
    assert pasted(path, "decorated").code.startswith("@staticmethod\ndef decorated(helper):")
    assert pasted(path, "recursive").before == ""


def test_a_changed_file_is_read_again_and_a_missing_function_is_named(path):
    pasted(path, "helper")
    path.write_text("def helper(x):\n    return 7\n")
    assert pasted(path, "helper").code.endswith("return 7\n")
    with pytest.raises(FigureError, match=r"plot_mine.py defines no 'method'"):
        pasted(path, "method")
