"""Code by its text or its place: what travels to another interpreter."""

from __future__ import annotations

import ast
import functools
import runpy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.errors import MethodError

if TYPE_CHECKING:
    from types import CodeType

_FILE = "<measured>"


def names(source: str) -> set[str]:
    """Return every name that code reads or writes; raises MethodError if it is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise MethodError(f"This is no Python: {error}.") from error
    if not tree.body:
        raise MethodError("There is nothing to measure: write an expression behind %measure.")
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def run(source: str, given: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Run code with given names; return those that it leaves, and its last expression's value."""
    statements, expression = _compiled(source)
    namespace = dict(given)
    if statements:
        exec(statements, namespace)  # noqa: S102 - the user's own code
    value = eval(expression, namespace) if expression else None  # noqa: S307 - as above
    # What was given is not of its making, and does not stay because of it.
    return {k: v for k, v in namespace.items() if v is not given.get(k)}, value


@functools.cache  # a run is not to pay for this; the warm-up call does
def _compiled(source: str) -> tuple[CodeType | None, CodeType | None]:
    tree = ast.parse(source)
    expression = None
    if tree.body and isinstance(last := tree.body[-1], ast.Expr):
        expression = compile(ast.Expression(last.value), _FILE, "eval")
        tree.body.pop()
    return compile(tree, _FILE, "exec") if tree.body else None, expression


@dataclass
class Named:
    """The functions of a file by their names: whoever calls one reads the file first."""

    path: str

    @functools.cached_property
    def defined(self) -> dict[str, Any]:
        """What the file defines, with what is installed in this interpreter."""
        return runpy.run_path(self.path, run_name="definitions")

    def __call__(self, name: str, *args: Any) -> Any:
        """Call the function of a name."""
        return self.defined[name](*args)
