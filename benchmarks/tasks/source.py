"""The code of a method and its helpers: its digest, without comments and docstrings, and names."""

from __future__ import annotations

import ast
import contextlib
import dis
import functools
import hashlib
import importlib.metadata
import importlib.util
import inspect
import re
import sys
import textwrap
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.errors import MethodError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


#: Of an array with more elements, NumPy writes the first and the last alone.
MOST_WRITTEN = 1000

#: Functions that examples share; they are copied along with a method, and belong to it.
SHARED = f"{__package__.partition('.')[0]}.recipes"


def source_sha256(function: FunctionType) -> str:
    """Return the digest of a method and its helpers; raises MethodError without source."""
    parts = sorted(_parts(function, set()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def helper(function: FunctionType, value: object) -> FunctionType | None:
    """Return what a function uses if it is a helper: of its own file, or shared by examples."""
    # A context manager, say, is another function around the one in the file, and so is a cache.
    wraps = isinstance(value, FunctionType) or hasattr(value, "__wrapped__")
    inner = inspect.unwrap(value) if wraps and callable(value) else None
    if not isinstance(inner, FunctionType):
        return None
    is_beside = inner.__code__.co_filename == function.__code__.co_filename
    return inner if is_beside or inner.__module__ == SHARED else None


def _parts(function: FunctionType, seen: set[FunctionType]) -> Iterator[str]:
    """Yield the code of a function, and of each name in its file that it uses."""
    seen.add(function)
    yield _code_without_prose(function)
    for name, value in _used(function):
        if inner := helper(function, value):
            if inner not in seen:
                yield from _parts(inner, seen)
        elif isinstance(value, ModuleType):
            yield f"{name} = module {value.__name__}"
        elif callable(value):
            # Where in a package a function lies may differ from one release to the next.
            package = str(getattr(value, "__module__", "")).partition(".")[0]
            yield f"{name} = {package} {getattr(value, '__qualname__', name)}"
        else:
            yield f"{name} = {_constant(value)}"


def _used(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield by name what a function uses: of its file, its classes, and a function around it."""
    around = _names_around(function)
    for name in sorted((_names(function.__code__) | around) & function.__globals__.keys()):
        value = function.__globals__[name]
        yield name, value
        if isinstance(value, type) and value.__module__ == function.__module__:
            for part, member in vars(value).items():
                if not part.startswith("__") or isinstance(member, FunctionType):
                    inner = getattr(member, "fget", None) or getattr(member, "__func__", member)
                    yield f"{name}.{part}", inner
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not bound yet
            yield name, cell.cell_contents


def _names_around(function: FunctionType) -> set[str]:
    """Return the names in the defaults of a function, which its code does not have."""
    return {
        name.id
        for node in ast.walk(_tree(function))
        if isinstance(node, ast.arguments)
        for value in filter(None, (*node.defaults, *node.kw_defaults))
        for name in ast.walk(value)
        if isinstance(name, ast.Name)
    }


def _constant(value: Any) -> str:
    """Write a value the same way in every process, with all that it holds."""
    if isinstance(value, (set, frozenset)):  # whose order is another one in each process
        return f"{{{', '.join(sorted(map(_constant, value)))}}}"
    if type(value) is dict:
        return f"{{{', '.join(f'{_constant(k)}: {_constant(v)}' for k, v in value.items())}}}"
    if type(value) is list:
        return f"[{', '.join(map(_constant, value))}]"
    if type(value) is tuple:
        return f"({', '.join(map(_constant, value))}{',' * (len(value) == 1)})"
    if getattr(value, "size", 0) > MOST_WRITTEN and hasattr(value, "tobytes"):
        digest = hashlib.sha256(value.tobytes()).hexdigest()
        return f"{value.dtype} {value.shape} {digest}"
    # Memory addresses in a representation change from one process to the next.
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def rest_sha256(path: Path, names: Collection[str]) -> str:
    """Return the digest of what a file runs besides functions of some names, prose and guard."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    left = [
        node
        for node in tree.body
        if not (isinstance(node, ast.FunctionDef) and node.name in names)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "METHODS")
        and not (isinstance(node, ast.If) and ast.unparse(node.test).startswith("__name__"))
    ]
    return hashlib.sha256(_dumped(left).encode()).hexdigest()


def uses(function: object, package: str) -> bool:
    """Tell whether a function, or a helper of it, names something of a package."""
    return any(home.partition(".")[0] == package for home in _homes(function, set()))


def imports(*functions: object) -> tuple[str, ...]:
    """Return what functions name of installed packages, as ``nilearn.image``: the fewest imports.

    What lies elsewhere may be edited between two runs, and is not among it; nor is what another
    of the packages needs, and therefore imports.
    """
    homes = {home for function in functions for home in _homes(function, set())}
    found = {".".join(home.split(".")[:2]) for home in homes if _is_installed(top(home))}
    needed = frozenset[str]().union(*(_required(top(name)) for name in found))
    return tuple(sorted(name for name in found if top(name) not in needed))


def _homes(function: object, seen: set[FunctionType]) -> Iterator[str]:
    """Yield the modules of what a function names, and of what its helpers do."""
    if getattr(function, "__module__", "") != SHARED:
        yield _home(function)
    if not isinstance(function, FunctionType):
        return
    seen.add(function)
    yield from _imported(function.__code__)
    for name in _names(function.__code__) & function.__globals__.keys():
        value: Any = function.__globals__[name]
        inner = helper(function, value)
        if not inner:
            yield _home(value)
        elif inner not in seen:
            yield from _homes(inner, seen)


def _home(value: object) -> str:
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
    return str(name or "")


def _imported(code: CodeType) -> Iterator[str]:
    """Yield the modules that code imports itself."""
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME":
            yield str(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _imported(constant)


def top(name: str) -> str:
    """Return the package that a module is of."""
    return name.partition(".")[0]


@functools.cache
def _is_installed(package: str) -> bool:
    """Tell whether a package lies where installers put packages."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return False
    return bool(spec and {"site-packages", "dist-packages"} & {*Path(spec.origin or "").parts})


@functools.cache
def distributions() -> dict[str, list[str]]:
    """Return by the name of each package that can be imported what is installed to have it."""
    found = {
        top: list(names) for top, names in importlib.metadata.packages_distributions().items()
    }
    if sys.version_info < (3, 11):  # which looks into one file alone, that few still have
        for one in importlib.metadata.distributions():
            files = () if one.read_text("top_level.txt") else one.files or ()
            for top in {file.parts[0] for file in files if file.name == "__init__.py"}:
                found.setdefault(top, []).append(one.metadata["Name"])
    return found


@functools.cache
def _required(package: str) -> frozenset[str]:
    """Return the packages that a package needs to be installed."""
    homes = distributions()
    needed = {
        canonicalize_name(requirement.name)
        for name in homes.get(package, ())
        for requirement in map(Requirement, importlib.metadata.requires(name) or ())
        if not requirement.marker or requirement.marker.evaluate({"extra": ""})
    }
    return frozenset(
        top for top, names in homes.items() if needed & set(map(canonicalize_name, names))
    )


def _names(code: CodeType) -> set[str]:
    nested = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    # Attributes are among the names: __name__ is rarely that of the file, which runs as another.
    own = {name for name in code.co_names if not name.startswith("__")}
    return own.union(*map(_names, nested))


def _code_without_prose(function: FunctionType) -> str:
    try:
        tree = _tree(function)
    except (OSError, SyntaxError) as error:
        raise MethodError(
            f"The source of {function.__name__} cannot be read ({error}). Define it with def "
            "in a file or a notebook cell."
        ) from error
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return _dumped(tree)


def _tree(function: FunctionType) -> ast.Module:
    """Return the code of a function; raises OSError or SyntaxError if there is none."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    name = inspect.unwrap(function).__code__.co_name
    # From Python 3.13 on, whatever is executed without a file has the lines behind -c for its own.
    if not any(_is_named(node, name) for node in ast.walk(tree)):
        raise OSError("another code goes by the name of its file")
    return tree


def _is_named(node: ast.AST, name: str) -> bool:
    """Tell whether a piece of code defines a function of a name, as code objects have it."""
    if isinstance(node, ast.Lambda):
        return name == "<lambda>"
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name


def _dumped(node: Any) -> str:
    """Write a syntax tree the same way in every version of Python, as `ast.dump` does not."""
    if isinstance(node, list):
        return f"[{', '.join(map(_dumped, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
    return f"{type(node).__name__}({', '.join(f'{n}={_dumped(value)}' for n, value in fields)})"
