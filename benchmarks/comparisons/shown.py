"""What an example shows rests on all that is gathered here: if it is the same, so is the page."""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import shutil
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from benchmarks import files
from benchmarks.images.variants import VARIANTS
from benchmarks.images.workspace import Workspace
from benchmarks.prediction import predict, roofline
from benchmarks.releases import environments
from benchmarks.releases.changes import tasks_compared
from benchmarks.results import reference_store
from benchmarks.results.result import Result
from benchmarks.results.store import CONVERTER, entries
from benchmarks.runner.schedule import asked_again, is_final
from benchmarks.tasks import chapter
from benchmarks.tasks.task import example_paths, program_version, task_name

from . import tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: What shows the methods of the example that calls it, and nothing else.
_OF_ITS_OWN = {"compare", "compare_forms", "compare_images", "compare_jobs", "compare_lengths"}

#: Of the package, all that can change what an example prints or draws.
_CODE = ("*.py", "*.jinja")


@dataclass(frozen=True)
class State:
    """The results that are there now, and all else that every example rests on."""

    workspace: Workspace
    #: Of the file in use and all its variants, as they are stored, by the results file.
    results: dict[Path, list[dict[str, Any]]]
    #: Digest of what all examples have in common.
    shared: str

    @classmethod
    def now(cls) -> State:
        """Look at what is there; may raise BenchmarkError, as the examples would."""
        workspace = Workspace.chosen()
        stores = [store for name in ("", *VARIANTS) if (store := workspace.seen(name))]
        results = {path: entries(path) for path in dict.fromkeys(one.path for one in stores)}
        shared = [
            *map(repr, (workspace.image, workspace.store.provenance, os.environ.get("RUNS"))),
            repr(sorted((found.name, found.version) for found in metadata.distributions())),
            code_digest(),
            # How examples are run, and the drawings that stand for them.
            content_digest([files.PROJECT / "conf.py", *files.DOC.glob("_static/thumbnails/*")]),
        ]
        return cls(workspace, results, _digest(shared))

    def is_due(self, example: Path) -> bool:
        """Tell whether an example is to be executed, whatever it showed: it measures again."""
        if self.workspace.is_reference:
            return False
        return asked_again() or self._fails(task_name(example), example.read_text("utf-8"))

    def of(self, example: Path) -> str:
        """Return the digest of all that decides what an example shows."""
        source = example.read_text(encoding="utf-8")
        name, tree = task_name(example), ast.parse(source, str(example))
        parts = [self.shared, source, *self._of_task(name), *_programs(tree)]
        for function in sorted(_imported(tree) - _OF_ITS_OWN):
            parts += self._of_others(function)
        return _digest(parts)

    def measured_by(self, example: Path) -> set[str]:
        """Return the tasks whose methods an example measures: its own, and those of the gauge."""
        imported = _imported(ast.parse(example.read_text(encoding="utf-8")))
        others = {"compare_tools": tools.TASK, "compare_interpreters": tools.ORIGINS}
        return {task_name(example)} | {others[name] for name in imported & others.keys()}

    def _of_task(self, name: str) -> Iterator[str]:
        """Yield the results of a task."""
        for path, results in self.results.items():
            yield from (f"{path} {one}" for one in results if one["task"] == name)

    def _fails(self, name: str, source: str) -> bool:
        """Tell whether a method of a task, if it is still there, failed and is tried again."""
        return any(
            not is_final(result) and (result.method in source or result.method in roofline.RATES)
            for results in self.results.values()
            for result in (
                CONVERTER.structure(one, Result)
                for one in results
                if one["task"] == name and "status" in one
            )
        )

    def _of_others(self, function: str) -> Iterator[str]:
        """Yield what a function shows of the methods of other examples, their code included."""
        if function == "compare_tools":
            yield _code_of({task for task, _ in chapter.ASKED_ABOUT})
            yield repr(tools.refusals(self.workspace.store))
            yield from self._of_task(tools.TASK)
        elif function == "compare_interpreters":
            yield _code_of({task for task, _ in chapter.FORKED_AND_FRESH})
            yield from self._of_task(tools.ORIGINS)
        elif function == "compare_releases":
            yield _code_of(set(tasks_compared()))
            folders = environments.releases_folder(), files.REFERENCE / reference_store.RELEASES
            yield content_digest(path for folder in folders for path in folder.rglob("*.json"))
        else:  # a prediction rests on small files, and on how fast this machine is
            yield _code_of(set(example_paths()))
            basis = predict.basis_of(self.workspace)
            yield repr(basis.slowness)
            yield content_digest([basis.store.path])


def code_digest() -> str:
    """Return the digest of what makes figures, tables and plots of results."""
    return content_digest(path for pattern in _CODE for path in files.PACKAGE.rglob(pattern))


def _code_of(names: set[str]) -> str:
    return content_digest(path for name, path in example_paths().items() if name in names)


def _imported(tree: ast.Module) -> set[str]:
    """Return the names that an example takes from this package."""
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == files.PACKAGE.name
        for alias in node.names
    }


def _programs(tree: ast.Module) -> Iterator[str]:
    """Yield each word of ``PROGRAMS`` that is a program here, with its version."""
    if not files.measuring():  # those of the reference machine count
        return
    for node in tree.body:
        if isinstance(node, ast.Assign) and "PROGRAMS" in map(ast.unparse, node.targets):
            words = {part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)}
            for word in sorted(map(str, words)):
                if shutil.which(word):
                    yield f"{word} {program_version(word)}"


def content_digest(paths: Iterable[Path]) -> str:
    """Return the digest of files: their names and what they hold."""
    found = (f"{path} {_digest_of(path, path.stat().st_mtime_ns)}" for path in sorted(paths))
    return _digest(found)


@functools.cache
def _digest_of(path: Path, _mtime_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
