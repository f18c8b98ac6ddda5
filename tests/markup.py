"""Reading an HTML page as strictly as a browser would not: every element closed, every name defined once."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"br", "img", "link", "meta", "input", "hr", "col"}
RAW = {"script", "style"}


@dataclass
class Element:
    """An element with its attributes, children and text."""

    tag: str
    attributes: dict[str, str | None]
    parent: Element | None
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its text and that of its descendants, in the order of the page, with single spaces."""
        return " ".join("".join(self.texts).split())

    def all(self, *tags: str) -> list[Element]:
        """Its descendants of these kinds."""
        found = []
        for child in self.children:
            if not tags or child.tag in tags:
                found.append(child)
            found += child.all(*tags)
        return found

    def one(self, name: str) -> Element:
        """The descendant of this identifier."""
        (found,) = [element for element in self.all() if element.attributes.get("id") == name]
        return found

    def inside(self, *tags: str) -> bool:
        """Whether it stands in an element of these kinds."""
        return self.parent is not None and (self.parent.tag in tags or self.parent.inside(*tags))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {}, None)
        self.here = self.root

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute of {tag} twice"
        made = Element(tag, dict(attrs), self.here)
        self.here.children.append(made)
        if tag not in VOID:
            self.here = made

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert tag == self.here.tag, f"</{tag}> closes {self.here.tag} on line {self.getpos()[0]}"
        assert self.here.parent is not None
        self.here = self.here.parent

    def handle_data(self, data):
        element = self.here
        while element is not None:
            element.texts.append(data)
            element = None if element.tag in RAW else element.parent

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")


def read_page(text: str) -> Element:
    """Read a page; fails on what is not closed, closed twice or a comment."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.here is reader.root, f"{reader.here.tag} is never closed"
    return reader.root
