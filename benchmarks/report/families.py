"""Families of methods: a colour and a shape for each, the same in plots, tables and pages."""

from __future__ import annotations

from dataclasses import dataclass

#: What is drawn beside the methods themselves: medians, marks of a change.
INK = "#333333"


@dataclass(frozen=True)
class Family:
    """Methods that work with the same tools; ``marker`` is ``sign`` as matplotlib names it."""

    title: str
    sign: str
    marker: str
    #: On a light ground, and on a dark one.
    colour: str
    dark_colour: str


#: Colours of Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), which colour-blind
#: readers tell apart; shapes for those who see grey, or no colour at all.
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
