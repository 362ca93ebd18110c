"""The methods of the chapter as benchmarks of asv, which follows a project over its commits."""

from __future__ import annotations

import ast
import errno
import importlib.metadata
import json
import re
import sys
from typing import TYPE_CHECKING

from benchmarks.files import written_whole
from benchmarks.images.variants import VARIANTS
from benchmarks.tasks import chapter, pasted, source
from benchmarks.tasks import task as tasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from benchmarks.tasks.task import Method, Task

_PROJECT = "nilearn"
_REPOSITORY = "https://github.com/nilearn/nilearn"

#: What is installed for a package, where its bare name would not bring all that is used of it.
_REQUIRED = {"dask": "dask[distributed]"}

_RUN = '''\
"""The run that every benchmark works on. It is made once."""

import os
import shutil
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

VOLUMES = 40
SCAN = Path(nib.__file__).parent / "tests" / "data" / "example4d.nii.gz"
IMAGES = [f"run_{number}.nii.gz" for number in range(1, 5)]


def longer():
    """Return the EPI scan that nibabel is packaged with, made longer, with noise over time."""
    scan, noise = nib.load(SCAN), np.random.default_rng(20260101)
    mean = scan.get_fdata()[..., 0]
    volumes = [mean * (1 + 0.015 * noise.standard_normal(mean.shape)) for _ in range(VOLUMES)]
    data = np.stack(volumes, axis=-1).round().clip(0, 32767).astype(np.int16)
    return nib.Nifti1Image(data, scan.affine, scan.header)


class Run:
    """Base of all benchmarks: each is one call.

    The peak of asv is the highest memory of the whole process, with all that is imported, and with
    what `setup` needs. To take another run, give its whole path as FMRI.
    """

    timeout = 600
    number = 1
    warmup_time = 0

    fmri_path, plain_path, fmri_paths = IMAGES[0], "run.nii", IMAGES

    def setup_cache(self):
        img = nib.load(os.environ["FMRI"]) if os.environ.get("FMRI") else longer()
        for name in (self.plain_path, *IMAGES):
            nib.save(img, name)

    def setup(self):
        os.makedirs("scratch", exist_ok=True)
        tempfile.tempdir = os.path.abspath("scratch")

    def teardown(self):
        tempfile.tempdir = None
        shutil.rmtree("scratch", ignore_errors=True)
'''

_BENCHMARK = re.compile("time_|timeraw_|mem_|peakmem_|track_")

_PREPARED = """
    def setup(self):
        super().setup()
        {call}  # what it leaves is found by the call that counts
"""

_METHOD = '''
    def {kind}_{name}(self):
        """{summary}"""
        {call}
'''


def write(folder: Path) -> list[Path]:
    """Write a folder that asv runs as it stands, and return the files with benchmarks.

    ``benchmarks`` in it has a file for each task of the chapter. Methods that start a program
    outside Python are left out.

    Parameters
    ----------
    folder : Path
        It is made if it is not there. A configuration and a package that are there already stay
        as they are; files that were written by this are replaced.

    Raises
    ------
    OSError
        A file cannot be written, or one of somebody else has its name.
    """
    texts = {name: _module(task) for name, task in _tasks().items()}
    written = {folder / "benchmarks" / f"{name}.py": text for name, text in texts.items()}
    theirs = {
        folder / "asv.conf.json": _configuration(texts.values()),
        folder / "benchmarks" / "__init__.py": "",
    }
    ours = {folder / "benchmarks" / "run.py": _RUN, **written}
    for path, text in ours.items():
        if path.exists() and _first_line(path.read_text(encoding="utf-8")) != _first_line(text):
            raise FileExistsError(errno.EEXIST, "it is there, and of somebody else", str(path))
    new = {path: text for path, text in theirs.items() if not path.exists()}
    for path, text in {**new, **ours}.items():
        with written_whole(path) as file:
            file.write(text.encode())
    return list(written)


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _tasks() -> dict[str, Task]:
    """Return the tasks whose times say something, by name."""
    names = [name for name in tasks.example_paths() if chapter.about(name).timed]
    return {name: tasks.task_named(name) for name in names}


def _module(task: Task) -> str:
    """Return the file of one task: its methods as the example has them, and their benchmarks."""
    path = tasks.example_paths()[task.name]
    methods = [method for method in task.methods if not method.program]
    imports, _, code = pasted.together(path, [m.name for m in methods]).partition("\n\n\n")
    again = chapter.about(task.name).finds_left
    title = task.name.title().replace("_", "")
    classes = _class(task, title, [method for method in methods if method.name not in again])
    for method in methods:
        if method.name in again:
            name = f"{title}{method.name.title().replace('_', '')}"
            classes += _class(task, name, [method], prepared=True)
    # In what asv finds at the top of a file, these beginnings make a benchmark of a method.
    taken = {node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)}
    for name in filter(_BENCHMARK.match, taken):
        code, classes = (
            re.sub(rf"(?<![\w.]){name}(?=\()", f"_{name}", text) for text in (code, classes)
        )
        classes = classes.replace(f"def _{name}(", f"def {name}(")
    told = f'"""{_title(path)}: written by neuroimaging-performance {_version()}."""'
    return f"{told}\n\n{imports}\n\nfrom .run import Run\n\n\n{code}{classes}"


def _class(task: Task, name: str, methods: Sequence[Method], *, prepared: bool = False) -> str:
    many = bool(task.form) and VARIANTS[task.form].images > 1
    text = f"\n\nclass {name}(Run):\n"
    for method in methods:
        one = "plain_path" if method.ending == ".nii" else "fmri_path"
        call = f"{method.name}(self.{'fmri_paths' if many else one})"
        if prepared:
            text += _PREPARED.format(call=call)
        for kind in ("time", "peakmem"):
            text += _METHOD.format(kind=kind, name=method.name, summary=method.summary, call=call)
    return text.replace(":\n\n", ":\n", 1)


def _title(path: Path) -> str:
    """Return the title of an example."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem
    return docstring.partition("\n")[0]


def _version() -> str:
    return importlib.metadata.version("neuroimaging-performance")


def _configuration(texts: Iterable[str]) -> str:
    """Return what asv has to know: the project, and what the benchmarks need besides."""
    modules: set[str] = set()
    for node in (node for text in texts for node in ast.walk(ast.parse(text))):
        if isinstance(node, ast.Import):
            modules |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.add(node.module or "")
    homes = source.distributions()
    tops = {module.partition(".")[0] for module in modules}
    others = tops - {_PROJECT} - sys.stdlib_module_names
    needed = sorted({_REQUIRED.get(n, n) for top in others for n in homes.get(top, (top,))})
    content = {
        "version": 1,
        "project": _PROJECT,
        "project_url": _REPOSITORY,
        "repo": f"{_REPOSITORY}.git",
        "branches": ["main"],
        "environment_type": "virtualenv",
        "matrix": {"req": {name: [""] for name in needed}},
        "benchmark_dir": "benchmarks",
    }
    return f"{json.dumps(content, indent=4)}\n"
