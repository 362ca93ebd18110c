"""The code of a method and its helpers: its digest, without comments and docstrings, and names."""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import textwrap
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from benchmarks.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Iterator


def source_sha256(function: FunctionType) -> str:
    """Return the digest of a method and its file's helpers; raises MethodError without source."""
    parts = sorted(_parts(function, set()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _parts(function: FunctionType, seen: set[FunctionType]) -> Iterator[str]:
    """Yield the code of a function, and of each name in its file that it uses."""
    seen.add(function)
    yield _code_without_prose(function)
    for name in sorted(_names(function.__code__)):
        if name not in function.__globals__:
            continue
        value: Any = function.__globals__[name]
        if isinstance(value, FunctionType) and (
            value.__code__.co_filename == function.__code__.co_filename
        ):
            if value not in seen:
                yield from _parts(value, seen)
        elif isinstance(value, ModuleType):
            yield f"{name} = module {value.__name__}"
        elif callable(value):
            # Where in a package a function lies may differ from one release to the next.
            package = str(getattr(value, "__module__", "")).partition(".")[0]
            yield f"{name} = {package} {getattr(value, '__qualname__', name)}"
        else:
            # Memory addresses in a representation change from one process to the next.
            yield f"{name} = {re.sub(r' at 0x[0-9a-f]+', '', repr(value))}"


def uses(function: object, package: str) -> bool:
    """Tell whether a function, or a helper of its own file, names something of a package."""
    return isinstance(function, FunctionType) and _uses(function, package, set())


def _uses(function: FunctionType, package: str, seen: set[FunctionType]) -> bool:
    seen.add(function)
    names = _names(function.__code__)
    for name in names & function.__globals__.keys():
        value: Any = function.__globals__[name]
        home = (
            value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
        )
        if str(home).partition(".")[0] == package:
            return True
        if (
            isinstance(value, FunctionType)
            and value not in seen
            and (value.__code__.co_filename == function.__code__.co_filename)
            and _uses(value, package, seen)
        ):
            return True
    return package in names  # an import inside the function


def _names(code: CodeType) -> set[str]:
    nested = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(_names, nested))


def _code_without_prose(function: FunctionType) -> str:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError) as error:
        raise MethodError(
            f"The source of {function.__name__} cannot be read ({error}). Define it with def "
            "in a file or a notebook cell."
        ) from error
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return _dumped(tree)


def _dumped(node: Any) -> str:
    """Write a syntax tree the same way in every version of Python, as `ast.dump` does not."""
    if isinstance(node, list):
        return f"[{', '.join(map(_dumped, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
    return f"{type(node).__name__}({', '.join(f'{n}={_dumped(value)}' for n, value in fields)})"
