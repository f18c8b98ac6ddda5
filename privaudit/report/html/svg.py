"""A matplotlib figure as inline SVG whose colours are those of the page, in light, in dark and on paper.

The figure is drawn with sentinels, one for each role of `privaudit.report.plots.Palette`. In the file every sentinel
becomes a class (``f-members`` fills, ``s-members`` strokes), which the style sheet gives its colour. Style attributes
become presentation attributes, because the page's security policy allows no inline style.
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
"""What a colour can stand for; the style sheet has a ``--c-`` of each."""
SENTINELS = {f"#fe{number:02x}ef": shade for number, shade in enumerate(SHADES)}
_COLOUR_OF = {shade: colour for colour, shade in SENTINELS.items()}
PALETTE = Palette(
    **{role: _COLOUR_OF[role] for role in ROLES},
    cycle=tuple(_COLOUR_OF[f"cycle-{number}"] for number in range(len(LIGHT.cycle))),
)
"""Draw with this one."""
STYLE = "".join(
    f".f-{shade} {{ fill: var(--c-{shade}); }}\n.s-{shade} {{ stroke: var(--c-{shade}); }}\n" for shade in SHADES
)
"""The rules that give the classes their colours."""
_NUMBER = re.compile(r"-?\d+\.\d+")
_SIZE = re.compile(r"([\d.]+)px")
_KEPT = {
    "fill", "stroke", "fill-opacity", "stroke-opacity", "opacity", "stroke-width", "stroke-dasharray",
    "stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "text-anchor", "fill-rule",
}  # fmt: skip
"""Style properties that are presentation attributes, too."""


def inline_svg(figure: Figure, name: str, title: str, description: str) -> Markup:
    """Write a figure into the page.

    Returns:
        One ``svg`` element with its title and description, as wide as its container; text is text.
    """
    drawn = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the browser has fonts of its own
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ElementTree.fromstring(drawn.getvalue())  # without its comments, which the parser leaves out
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
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        about = ElementTree.Element(tag, {"id": f"{name}-{'description' if place else 'title'}"})
        about.text = text
        root.insert(place, about)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # ElementTree has escaped every text


def _restyle(element: ElementTree.Element) -> None:
    """Style to attributes, sentinels to classes, numbers to what a screen can show."""
    element.tag = element.tag.removeprefix(SVG) if isinstance(element.tag, str) else element.tag
    style = element.attrib.pop("style", "")
    for declaration in filter(None, (part.strip() for part in style.split(";"))):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key in _KEPT:
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


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def _rename(element: ElementTree.Element, name: str) -> None:
    """Identifiers of this plot alone, and references to them."""
    if (own := element.attrib.pop("id", None)) is not None and _referred(own):
        element.set("id", f"{name}-{own}")
    if (target := element.attrib.pop(f"{XLINK}href", None)) is not None:
        element.set("href", f"#{name}-{target[1:]}" if target.startswith("#") else target)
    if (clip := element.get("clip-path")) is not None:
        element.set("clip-path", clip.replace("url(#", f"url(#{name}-"))


def _referred(own: str) -> bool:
    """Whether an identifier is one of matplotlib's definitions; groups have names such as ``axes_1``."""
    return not re.fullmatch(r"[A-Za-z]+(?:2d|3d|[A-Z][a-z]+)?_\d+(?:_\d+)?|figure_\d+|matplotlib\.axis_\d+", own)
