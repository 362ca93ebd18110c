"""Do two methods return the same? Compare shape, sums and some voxels, not whole arrays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.errors import DisagreementError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .task import Method, Task

#: Voxels that are compared one by one; the sums stand for the others.
SAMPLED_VOXELS = 500

#: Sums are taken in pieces: the whole as float64 could be more than fits in memory.
CHUNK_VOXELS = 1 << 18

#: A value that is no array is written down up to this length.
MOST_TEXT = 200

#: Affines that differ by less than this many mm (or mm per voxel) are the same.
AFFINE_TOLERANCE = 1e-4

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


@dataclass(frozen=True)
class Returned:
    """What a method returned, reduced to what two methods can be compared by."""

    #: ``"array"`` for images and arrays, else the name of the type.
    kind: str
    #: Shape of the array; empty for anything else.
    shape: tuple[int, ...] = ()
    #: Type of the values as an array holds them; empty for anything else.
    dtype: str = ""
    #: Sum of the values, and sum of their squares, in float64, NaN taken as 0.
    sums: tuple[float, ...] = ()
    #: Values at evenly spread voxels, in C order of their flat index.
    sample: tuple[float, ...] = ()
    #: The 16 values of an image's affine, in mm; empty for an array.
    affine: tuple[float, ...] = ()
    #: What a value that is neither an image nor an array looks like in Python, if it has a look of
    #: its own.
    text: str = ""


def reduce(value: Any) -> Returned:
    """Reduce a return value to what is compared.

    Parameters
    ----------
    value : object
        An image (array or proxy), an array, a number, or anything else.
    """
    if isinstance(value, (list, tuple)) and value and all(map(_is_array, value)):
        parts = [reduce(part) for part in value]
        if all(part.sums for part in parts):
            return _joined(type(value).__name__, parts)
        return Returned(kind=type(value).__name__, shape=(len(value),), text=_text(value))
    affine = getattr(value, "affine", None)
    try:
        data = np.asanyarray(getattr(value, "dataobj", value))
    except (TypeError, ValueError):  # no array can be made of it, as of lists of unequal length
        return Returned(kind=type(value).__name__, text=_text(value))
    if data.dtype.kind not in "biuf" or data.size == 0:
        return Returned(kind=type(value).__name__, shape=data.shape, text=_text(value))
    at = np.unique(np.linspace(0, data.size - 1, SAMPLED_VOXELS).astype(np.intp))
    sample = data[np.unravel_index(at, data.shape)] if data.ndim else data.reshape(1)
    total = squares = 0.0
    voxels = data.ravel(order="K")  # a view of whatever lies in memory in one piece
    for start in range(0, voxels.size, CHUNK_VOXELS):
        values = np.nan_to_num(voxels[start : start + CHUNK_VOXELS].astype(np.float64), copy=False)
        total += float(values.sum())
        squares += float(values @ values)
    return Returned(
        kind="array",
        shape=data.shape,
        dtype=str(data.dtype),
        sums=(total, squares),
        sample=tuple(float(v) for v in sample),
        affine=() if affine is None else tuple(float(v) for v in np.ravel(affine)),
        text="" if _is_array(value) else _text(value),
    )


def _text(value: Any) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    # An address is another one in each process, and says nothing of the value.
    return "" if _ADDRESS.search(text) else text[:MOST_TEXT]


def _is_array(value: Any) -> bool:
    return hasattr(value, "dataobj") or isinstance(value, np.ndarray)


def _joined(kind: str, parts: list[Returned]) -> Returned:
    """Reduce a list of images or arrays: one after the other, as one array."""
    alike = len({part.shape for part in parts}) == 1
    return Returned(
        kind="array" if alike else kind,
        shape=(len(parts), *parts[0].shape) if alike else (len(parts),),
        dtype=parts[0].dtype,
        sums=(sum(part.sums[0] for part in parts), sum(part.sums[1] for part in parts)),
        sample=tuple(value for part in parts for value in part.sample),
        affine=parts[0].affine,
    )


def largest_difference(one: Returned, other: Returned) -> float:
    """Return the largest relative difference of two arrays; NaN equals NaN in the same place."""
    a, b = np.array(one.sample), np.array(other.sample)
    scale = np.nanmax(np.abs([a, b]), initial=0.0)
    squares = max(one.sums[1], other.sums[1])
    # Sums are compared relative to what they can be at most: by Cauchy and Schwarz, a sum of n
    # values is at most the square root of n times the sum of their squares.
    scales = [scale] * a.size + [np.sqrt(np.prod(one.shape, dtype=float) * squares), squares]
    a, b = np.append(a, one.sums), np.append(b, other.sums)
    differences = np.abs(a - b) / np.where(np.array(scales) > 0, scales, 1.0)
    differences[np.isnan(a) & np.isnan(b)] = 0.0
    return float("inf") if np.isnan(differences).any() else float(differences.max())


def check(names: tuple[str, str], one: Returned, other: Returned, tolerance: float) -> None:
    """Refuse two methods that differ by more than a relative tolerance, naming both.

    Raises
    ------
    DisagreementError
        With the largest relative difference.
    """
    pair = f"{names[0]} and {names[1]} disagree"
    advice = "Nothing of them is published; mend one, or compare them in tasks of their own."
    if (one.kind, one.shape) != (other.kind, other.shape):
        raise DisagreementError(
            f"{pair}: one returns {_described(one)}, the other {_described(other)}. {advice}"
        )
    if one.kind != "array":
        return
    difference = largest_difference(one, other)
    if difference > tolerance:
        raise DisagreementError(
            f"{pair}: the largest relative difference is {difference:.2g}, and the task "
            f"allows {tolerance:.2g}. {advice}"
        )
    if one.affine and other.affine:
        shift = float(np.abs(np.subtract(one.affine, other.affine)).max())
        if shift > AFFINE_TOLERANCE:
            raise DisagreementError(f"{pair}: their affines differ by {shift:.2g} mm. {advice}")


def check_group(task: Task, method: Method, returned: Mapping[str, Returned | None]) -> None:
    """Compare what a method returned with what others of its group did; may raise as `check`."""
    ours = returned[method.name]
    for other in task.methods:
        theirs = returned[other.name]
        if ours and theirs and other.group == method.group and other.name != method.name:
            check((method.name, other.name), ours, theirs, task.tolerance)


def _described(returned: Returned) -> str:
    if returned.kind == "array":
        return f"an array of shape {returned.shape}"
    return f"a value of type {returned.kind}"
