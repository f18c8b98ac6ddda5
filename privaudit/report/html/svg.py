"""Turns a matplotlib figure into inline SVG that takes its colours from the page, in light, in dark and on paper.

The figure is drawn with a sentinel colour for each role of `privaudit.report.plots.Palette`. In the SVG, every sentinel
becomes a class (``f-members`` fills, ``s-members`` strokes), whose colour the style sheet sets. Style attributes become
presentation attributes, because the security policy of the page allows no inline style.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import fields
from io import StringIO
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

from privaudit.report.plots import LIGHT, Palette

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}"
ROLES = tuple(part.name for part in fields(Palette) if part.name not in ("cycle", "colours"))
SHADES = (*ROLES, *(f"cycle-{number}" for number in range(len(LIGHT.cycle))))
"""Roles of colours; the style sheet has a variable ``--c-ROLE`` for each."""
SENTINELS = {f"#fe{number:02x}ef": shade for number, shade in enumerate(SHADES)}
_COLOUR_OF = {shade: colour for colour, shade in SENTINELS.items()}
PALETTE = Palette(
    **{role: _COLOUR_OF[role] for role in ROLES},
    cycle=tuple(_COLOUR_OF[f"cycle-{number}"] for number in range(len(LIGHT.cycle))),
)
"""Palette of sentinels, with which plots of the page are drawn."""
STYLE = "".join(
    f".f-{shade} {{ fill: var(--c-{shade}); }}\n.s-{shade} {{ stroke: var(--c-{shade}); }}\n" for shade in SHADES
)
"""Style rules that give the classes their colours."""
_NUMBER = re.compile(r"-?\d+\.\d+")
_SIZE = re.compile(r"([\d.]+)px")
_PRESENTATION = {
    "fill", "stroke", "fill-opacity", "stroke-opacity", "opacity", "stroke-width", "stroke-dasharray",
    "stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "text-anchor", "fill-rule",
}  # fmt: skip
"""Style properties that are also presentation attributes."""


def inline_svg(figure: Figure, name: str, title: str, description: str) -> Markup:
    """Render a figure as an ``svg`` element with title and description, as wide as its container and with real text."""
    drawn = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the browser has fonts of its own
        # without metadata, and with ids that depend on nothing but the name, so that a page is reproducible
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ElementTree.fromstring(drawn.getvalue())  # the parser drops comments
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{SVG}metadata", f"{SVG}style"):
                parent.remove(child)
    for element in root.iter():
        _restyle(element)
        _rename(element, name)
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    root.attrib |= {"class": "plot", "role": "img", "aria-labelledby": f"{name}-title {name}-description"}
    for place, (tag, kind, text) in enumerate((("title", "title", title), ("desc", "description", description))):
        about = ElementTree.Element(tag, {"id": f"{name}-{kind}"})
        about.text = text
        root.insert(place, about)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # ElementTree has escaped every text


def _restyle(element: ElementTree.Element) -> None:
    """Replace styles by attributes and sentinels by classes, and round numbers to what a screen can show."""
    element.tag = element.tag.removeprefix(SVG) if isinstance(element.tag, str) else element.tag
    style = element.attrib.pop("style", "")
    for declaration in filter(None, (part.strip() for part in style.split(";"))):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key in _PRESENTATION:
            element.set(key, value)
        elif key in ("font", "font-size") and (size := _SIZE.search(value)):
            element.set("font-size", size[1])
        elif key == "image-rendering":
            element.set("class", "pixelated")
    classes = element.get("class", "").split()
    for attribute, letter in (("fill", "f"), ("stroke", "s")):
        if (shade := SENTINELS.get(element.get(attribute, ""))) is not None:
            del element.attrib[attribute]
            classes.append(f"{letter}-{shade}")
    if classes:
        element.set("class", " ".join(classes))
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    for space in ("text", "tail"):
        if element.tag not in ("text", "title", "desc", "tspan") and not (getattr(element, space) or "").strip():
            setattr(element, space, None)
    for attribute in ("d", "transform", "x", "y", "width", "height", "stroke-width", "stroke-dasharray"):
        if attribute in element.attrib:
            element.set(attribute, " ".join(_NUMBER.sub(_rounded, element.attrib[attribute]).split()))


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


def _rename(element: ElementTree.Element, name: str) -> None:
    """Make identifiers unique on the page by the name of the plot, and adjust references to them."""
    if (identifier := element.attrib.pop("id", None)) is not None and _is_referred_to(identifier):
        element.set("id", f"{name}-{identifier}")
    if (target := element.attrib.pop(f"{XLINK}href", None)) is not None:
        element.set("href", f"#{name}-{target[1:]}" if target.startswith("#") else target)
    if (clip := element.get("clip-path")) is not None:
        element.set("clip-path", clip.replace("url(#", f"url(#{name}-"))


def _is_referred_to(identifier: str) -> bool:
    """Whether an identifier belongs to a definition; those of mere groups have names such as ``axes_1``."""
    group = r"[A-Za-z]+(?:2d|3d|[A-Z][a-z]+)?_\d+(?:_\d+)?|figure_\d+|matplotlib\.axis_\d+"
    return not re.fullmatch(group, identifier)
