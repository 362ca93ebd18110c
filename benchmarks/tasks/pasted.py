"""A function as code to paste, behind the imports, constants and helpers that it needs."""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.errors import FigureError

from .source import SHARED, top

if TYPE_CHECKING:
    from collections.abc import Iterable

_Definition: TypeAlias = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


_CONSTANTS = (ast.Assign, ast.AnnAssign)


@dataclass(frozen=True)
class Pasted:
    """What is pasted into an empty interpreter to have a function there."""

    #: Imports, constants and helpers, with empty lines behind.
    before: str
    #: The function, as its file has it.
    code: str
    #: The files that all of it is from.
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class _File:
    """What a file defines at its top level, and what it imports, by the names it has there."""

    path: Path
    lines: tuple[str, ...]
    defined: dict[str, _Definition]
    #: The module, and what is taken of it; empty for the module itself.
    imported: dict[str, tuple[str, str]]

    def text(self, name: str) -> str:
        """Return the lines of a definition."""
        node = self.defined[name]
        decorators = [] if isinstance(node, _CONSTANTS) else node.decorator_list
        first = min(part.lineno for part in [node, *decorators])
        return "\n".join(self.lines[first - 1 : node.end_lineno])


def pasted(path: Path, name: str) -> Pasted:
    """Return a function of a file as code to paste; raises FigureError if it is not there.

    A file that examples share may be imported by that file; what is used of it is pasted too.
    """
    needed: dict[tuple[Path, str], None] = {}
    before = _gathered(path, [name], needed, apart=name)
    files = tuple({where: None for where, _ in needed})
    return Pasted(before, f"{_read(path).text(name)}\n", files)


def together(path: Path, names: Iterable[str]) -> str:
    """Return functions of a file as one file, with what they need; raises as `pasted`."""
    return f"{_gathered(path, names, {}).rstrip()}\n"


def _gathered(
    path: Path, names: Iterable[str], needed: dict[tuple[Path, str], None], apart: str = ""
) -> str:
    """Return imports, and the functions with what they need, but for one; note all of these."""
    file = _read(path)
    imports: dict[str, tuple[str, str]] = {}
    for name in names:
        if name not in file.defined:
            raise FigureError(f"{path.name} defines no {name!r}.")
        _collect(file, name, needed, imports)
    files = {one.path: one for one in (shared(), file)}
    found = [
        (files[where].defined[other], files[where].text(other))
        for where in files
        for other in files[where].defined  # in the order of the file
        if (where, other) in needed and (where, other) != (path, apart)
    ]
    text = f"{_import_text(imports)}\n\n\n" if imports else ""
    for node, lines in found:
        if isinstance(node, _CONSTANTS) and text.endswith("\n\n\n"):
            text = text[:-1]  # constants stand close to each other
        text += f"{lines}\n\n\n"
    return text


def shared() -> _File:
    """Return the file of the functions that examples share."""
    spec = importlib.util.find_spec(SHARED)
    if spec is None or spec.origin is None:
        raise FigureError(f"{SHARED} is not installed.")
    return _read(Path(spec.origin))


def _collect(
    file: _File,
    name: str,
    needed: dict[tuple[Path, str], None],
    imports: dict[str, tuple[str, str]],
) -> None:
    """Note what a definition of a file needs, and what that needs in its turn."""
    needed[file.path, name] = None
    for used in _globals(file.defined[name]):
        if used in file.defined and (file.path, used) not in needed:
            _collect(file, used, needed, imports)
        elif used in file.imported:
            module, part = file.imported[used]
            if module != SHARED:
                imports[used] = module, part
            elif (shared().path, part) not in needed:
                _collect(shared(), part, needed, imports)


def _globals(node: ast.AST) -> list[str]:
    """Return the names that a definition reads and does not give itself."""
    found = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
    own = {part.id for part in found if not isinstance(part.ctx, ast.Load)}
    own |= {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
    read = [part.id for part in found if isinstance(part.ctx, ast.Load)]
    return [name for name in dict.fromkeys(read) if name not in own]


def _read(path: Path) -> _File:
    return _parsed(path, path.stat().st_mtime_ns)


@functools.cache
def _parsed(path: Path, _mtime_ns: int) -> _File:
    text = path.read_text(encoding="utf-8")
    file = _File(path, tuple(text.splitlines()), {}, {})
    for node in ast.parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            file.defined[node.name] = node
        elif isinstance(node, _CONSTANTS):
            stored = (p for p in ast.walk(node) if isinstance(getattr(p, "ctx", None), ast.Store))
            names = [part.id for part in stored if isinstance(part, ast.Name)]
            file.defined.update(dict.fromkeys(names, node))
        elif isinstance(node, ast.Import):
            file.imported.update({n.asname or top(n.name): (n.name, "") for n in node.names})
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            file.imported.update({n.asname or n.name: (module, n.name) for n in node.names})
    return file


def _import_text(imports: dict[str, tuple[str, str]]) -> str:
    """Write imports as they usually are: the standard library, then the others."""
    groups: list[list[str]] = [[], []]
    taken: dict[str, list[str]] = {}
    for name, (module, part) in sorted(imports.items(), key=lambda item: item[1]):
        if part:
            taken.setdefault(module, []).append(part if part == name else f"{part} as {name}")
        else:
            alias = "" if name == top(module) else f" as {name}"
            groups[_is_other(module)].append(f"import {module}{alias}")
    for module, parts in taken.items():
        groups[_is_other(module)].append(f"from {module} import {', '.join(parts)}")
    return "\n\n".join("\n".join(group) for group in groups if group)


def _is_other(module: str) -> bool:
    return top(module) not in sys.stdlib_module_names
