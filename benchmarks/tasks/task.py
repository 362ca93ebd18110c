"""From an example file, the only place where a method is written, to a task with methods."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import inspect
import re
import runpy
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from benchmarks import files
from benchmarks.errors import AbsentError, FigureError, MethodError

from . import source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: State of the page cache before each run.
Cache: TypeAlias = Literal["warm", "cold"]

#: Largest relative difference between what two methods of a task return: some tens of the
#: rounding error of float32 (2**-24), in which several methods compute.
TOLERANCE = 1e-6

#: Methods in a list return the same; in a list of lists, those of one inner list do.
Methods: TypeAlias = "Sequence[FunctionType] | Sequence[Sequence[FunctionType]]"

_PREFIX = "plot_"
_VERSION_SECONDS = 10


@dataclass(frozen=True)
class Method:
    """One way of doing a task."""

    #: Name of the function.
    name: str
    #: Takes the path of the fMRI file.
    function: Callable[..., Any]
    #: First line of its docstring.
    summary: str
    #: Digest of its code.
    source_sha256: str
    #: Methods of one group return the same; those of different groups need not.
    group: int = 0
    #: The program that it starts, if it is a way outside Python.
    program: str = ""
    #: State of the page cache before each run, if it is the same in every comparison.
    cache: Cache | None = None
    #: The ending of the files it is for, ``".nii"`` or ``".nii.gz"``; empty for both.
    ending: str = ""
    #: A name of `benchmarks.report.families.FAMILIES`; empty if it belongs to none.
    family: str = ""
    #: Whether its memory is measured too, and what it returns compared.
    weighed: bool = True
    #: Whether workers of an earlier call are ended before each run: it starts its own.
    cold_workers: bool = False

    def takes(self, path: Path) -> bool:
        """Tell whether it is for files with the ending of a path."""
        return not self.ending or path.name.endswith(self.ending)


@dataclass(frozen=True)
class Task:
    """What a reader wants done, and the ways of doing it."""

    #: ``load`` for ``plot_load.py``; ``notebook`` where the methods are in no file.
    name: str
    #: In the order of the example.
    methods: tuple[Method, ...]
    #: Largest relative difference between what two methods return.
    tolerance: float = TOLERANCE
    #: The example file.
    path: Path | None = None
    #: Methods that are left out, and the program that each of them needs.
    absent: dict[str, str] = field(default_factory=dict, hash=False)
    #: The variant of the file that all of them need; empty if any will do.
    form: str = ""

    def method(self, name: str) -> Method:
        """Return a method by name; raises MethodError with the names there are."""
        for method in self.methods:
            if method.name == name:
                return method
        known = ", ".join(method.name for method in self.methods)
        raise MethodError(f"The task {self.name} has no method {name!r}; it has: {known}.")


def from_functions(functions: Methods) -> Task:
    """Make a task of the functions of one file or notebook.

    Parameters
    ----------
    functions : sequence of functions, or of such sequences
        Each takes the path of a file. Names must differ. The functions of one sequence
        return the same. Globals of their file say more, by name: ``TOLERANCE`` how nearly,
        ``PROGRAMS`` the program that one needs (left out if it is not on the PATH), ``ENDINGS``
        the files one is for, ``RECOMMENDED`` what the site recommends, ``WITH_NILEARN`` those
        that run a script with nilearn, ``COLD_WORKERS`` those that start their workers,
        ``COLD_CACHE`` those that find the file dropped from the page cache, ``FORM`` the form.

    Raises
    ------
    MethodError
        There is none, one is no plain function, two have one name, or one has no source.
    """
    groups = _groups(functions)
    names = _names(found := [function for group in groups for function in group])
    path = Path(found[0].__code__.co_filename)
    said = found[0].__globals__
    programs = said.get("PROGRAMS", {})
    # To show what was measured elsewhere, a program need not be here.
    needed = {n: programs[n] for n in names if n in programs and files.measuring()}
    absent = {name: program for name, program in needed.items() if not shutil.which(program)}
    methods = tuple(
        _method(function, group, programs.get(function.__name__, ""))
        for group, members in enumerate(groups)
        for function in members
        if function.__name__ not in absent
    )
    return Task(
        name=task_name(path),
        methods=methods,
        tolerance=said.get("TOLERANCE", TOLERANCE),
        path=path if path.is_file() else None,
        absent=absent,
        form=said.get("FORM", ""),
    )


def _names(functions: Sequence[Any]) -> list[str]:
    """Return the names of functions, after a look whether they can be methods."""
    if not functions:
        raise MethodError("There is no method to measure: METHODS is empty.")
    for function in functions:
        if not isinstance(function, FunctionType):
            raise MethodError(f"{function!r} is no plain function, as a method must be.")
    names = [function.__name__ for function in functions]
    if len(set(names)) < len(names):
        raise MethodError(f"Two methods have the same name: {', '.join(names)}.")
    return names


def _method(function: FunctionType, group: int, program: str) -> Method:
    digest = source.source_sha256(function)
    if program:  # another release of it is another method
        version = program_version(program)
        digest = hashlib.sha256(f"{digest} {program} {version}".encode()).hexdigest()
    summary = (inspect.getdoc(function) or "").partition("\n")[0]
    cold_workers = function.__name__ in function.__globals__.get("COLD_WORKERS", ())
    cold_cache = function.__name__ in function.__globals__.get("COLD_CACHE", ())
    for is_cold, words in ((cold_workers, "cold workers"), (cold_cache, "cold cache")):
        if is_cold:  # what it finds is part of what is measured
            digest = hashlib.sha256(f"{digest} {words}".encode()).hexdigest()
    ending = function.__globals__.get("ENDINGS", {}).get(function.__name__, "")
    return Method(
        function.__name__,
        function,
        summary,
        digest,
        group,
        program,
        cache="cold" if cold_cache else None,
        ending=ending,
        family=_family(function, program),
        cold_workers=cold_workers,
    )


@functools.cache
def program_version(name: str) -> str:
    """Return the version that a program on the PATH prints of itself; empty if it prints none."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        answer = subprocess.run(
            [name, "-version"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_VERSION_SECONDS,
        )
        if found := re.search(r"\d+(\.\d+)+", answer.stdout):
            return found[0]
    return ""


def _family(function: FunctionType, program: str) -> str:
    if program:
        return "program"
    if function.__name__ in function.__globals__.get("RECOMMENDED", ()):
        return "recommended"
    if function.__name__ in function.__globals__.get("WITH_NILEARN", ()):
        return "nilearn"
    return next((name for name in ("nilearn", "nibabel") if source.uses(function, name)), "")


def _groups(functions: Sequence[Any]) -> list[list[Any]]:
    """Return the functions by what they return: a flat list is one group."""
    if not any(isinstance(item, (list, tuple)) for item in functions):
        return [list(functions)]
    return [list(item) if isinstance(item, (list, tuple)) else [item] for item in functions]


@functools.cache
def names_by_group(path: Path) -> tuple[tuple[str, ...], ...]:
    """Return the names of an example's methods that return the same, without importing it.

    What it imports would take seconds, and lists of its functions are all that is looked at.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: dict[str, Any] = {
        node.name: node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    }
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.List, ast.Name)):
            with contextlib.suppress(NameError, TypeError):  # of something else
                exec(compile(ast.Module([node], []), path, "exec"), names)  # noqa: S102 - ours
    return tuple(map(tuple, _groups(names.get("METHODS", []))))


def from_example(path: Path) -> Task:
    """Read the task of an example file, without running what its guard holds.

    Raises
    ------
    MethodError
        The file cannot be run, has no list METHODS, or a method is not usable.
    """
    try:
        definitions = runpy.run_path(str(path), run_name="definitions")
    except Exception as error:
        raise MethodError(f"{path} cannot be run: {type(error).__name__}: {error}.") from error
    if "METHODS" not in definitions:
        raise MethodError(f"{path} has no list METHODS of the functions to measure.")
    return from_functions(definitions["METHODS"])


def example_paths() -> dict[str, Path]:
    """Return the example file of each task, by its name; one without ``METHODS`` is no task."""
    paths = sorted(files.EXAMPLES.glob(f"{_PREFIX}*.py"))
    return {
        task_name(path): path
        for path in paths
        if re.search(r"^METHODS\b", path.read_text(), re.MULTILINE)
    }


def task_name(path: Path) -> str:
    """Return the name of the task whose methods a file holds."""
    if path.parent.resolve() == files.EXAMPLES:
        return path.stem.removeprefix(_PREFIX)
    # An edited copy of an example keeps its prefix, so that it is never taken for the example.
    return path.stem if path.is_file() else "notebook"


@functools.cache
def task_named(name: str) -> Task:
    """Return the task of an example, ``@variant`` left aside; raises FigureError without one."""
    name = name.partition("@")[0]
    paths = example_paths()
    if name not in paths:
        raise FigureError(f"There is no task {name!r}; there are: {', '.join(paths)}.")
    return from_example(paths[name])


def method_named(task_name: str, method_name: str) -> Method:
    """Return a method; raises FigureError if there is none, AbsentError without its program."""
    task = task_named(task_name)
    if method_name in task.absent:
        raise AbsentError(f"{task.absent[method_name]} is not installed.")
    try:
        return task.method(method_name)
    except MethodError as error:
        raise FigureError(str(error)) from error
