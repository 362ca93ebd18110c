"""Families of methods: a colour and a shape for each, the same in plots, tables and pages.

The colours are those of Okabe and Ito's palette, which colour-blind readers tell apart
(https://jfly.uni-koeln.de/color/). The shapes tell families apart in grey, and where no colour
is shown at all.
"""

from __future__ import annotations

from dataclasses import dataclass

#: What is drawn beside the methods themselves: medians, marks of a change.
INK = "#333333"


@dataclass(frozen=True)
class Family:
    """Methods that work with the same tools.

    Attributes
    ----------
    title : str
        What it is called.
    sign : str
        Stands before the name of a method in a table.
    marker : str
        The same shape in a plot, as matplotlib names it.
    colour : str
        On a light ground.
    dark_colour : str
        On a dark ground.
    """

    title: str
    sign: str
    marker: str
    colour: str
    dark_colour: str


FAMILIES = {
    "recommended": Family("recommended", "◆", "D", "#007a59", "#2fc79b"),
    "nilearn": Family("nilearn", "●", "o", "#0072b2", "#56b4e9"),
    "nibabel": Family("nibabel", "■", "s", "#b34c00", "#f0a35e"),
    "program": Family("a program outside Python", "▲", "^", "#a0467f", "#e0a0c8"),
}

#: Methods of no family, such as a reader's own.
OTHER = Family("", "", "o", "#0072b2", "#56b4e9")

#: What the pages themselves use: on a light ground, and on a dark one.
PAGE = {
    "color-brand-primary": ("#00567f", "#6fc0ee"),
    "color-brand-content": ("#00567f", "#6fc0ee"),
    "color-brand-visited": ("#6a3d7c", "#c9a3dd"),
    "color-holds": ("#1f7a4d", "#5fcf9a"),
    "color-undecided": ("#8a5a00", "#e3b341"),
    "color-contradicted": ("#b3261e", "#ff8a80"),
    "drawing-filter": ("none", "invert(0.92) hue-rotate(180deg)"),
}


def css_variables(*, dark: bool) -> dict[str, str]:
    """Return colours, and how drawings are turned, by the names that style sheets know."""
    colours = {f"color-family-{n}": (f.colour, f.dark_colour) for n, f in FAMILIES.items()}
    return {name: pair[dark] for name, pair in (PAGE | colours).items()}
