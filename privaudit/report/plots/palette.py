"""Colours and dashes of the plots: every line is told from its neighbours without colours, too."""

from __future__ import annotations

from dataclasses import dataclass

Dash = tuple[float, tuple[float, ...] | None]
"""Offset and lengths of strokes and gaps in points; None draws through."""

DASHES: tuple[Dash, ...] = ((0, None), (0, (6, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)), (0, (1, 1.5)), (0, (10, 3)))
"""Of attacks, in the order in which they are drawn."""
MASK_DASHES: dict[str, Dash] = {
    "none": (0, None),
    "influence": (0, (7, 1.5)),
    "weighted": (0, (3, 1.5)),
    "random": (0, (1, 1.5)),
}
MASK_MARKERS = {"none": "o", "random": "s", "influence": "D", "weighted": "^"}


@dataclass(frozen=True)
class Palette:
    """Every colour of a plot, as matplotlib writes colours; ``none`` paints nothing.

    A plot takes no other colour and mixes none: what is lighter has an opacity. A page can therefore draw a plot with
    colours of its own and exchange them in the file.

    Attributes:
        text: Labels, numbers, the frame.
        muted: What is less important, such as marks.
        grid: Lines behind the data.
        background: Background of the figure.
        members: The first of the two compared sets.
        nonmembers: The other one.
        chance: What guessing reaches.
        blind: What is reached without the model.
        none: Scores without a mask.
        random: Under the random mask.
        influence: Under the influence mask.
        weighted: Under the weights.
        cycle: Attacks, in the order in which they are drawn.
        colours: Colour map of maps.
    """

    text: str
    muted: str
    grid: str
    background: str
    members: str
    nonmembers: str
    chance: str
    blind: str
    none: str
    random: str
    influence: str
    weighted: str
    cycle: tuple[str, ...]
    colours: str = "viridis"

    def mask(self, name: str) -> str:
        """Give the colour of a mask; of one that is not privaudit's own, that of text."""
        known = {"none": self.none, "random": self.random, "influence": self.influence, "weighted": self.weighted}
        return known.get(name, self.text)

    def attack(self, place: int) -> str:
        """Give the colour of the attack that is drawn at a place, from 0."""
        return self.cycle[place % len(self.cycle)]


# After Okabe and Ito, "Color universal design" (2008): apart for every kind of colour vision. Darker than theirs where
# they have less than 3:1 against white, or lighter where they have less against black.
LIGHT = Palette(
    text="#1c2128",
    muted="#5b6470",
    grid="#d5dae0",
    background="#ffffff",
    members="#c2410c",
    nonmembers="#0072b2",
    chance="#5b6470",
    blind="#7a5c00",
    none="#1c2128",
    random="#767f8a",
    influence="#0072b2",
    weighted="#c2410c",
    cycle=("#0072b2", "#c2410c", "#00795c", "#9b4f8a", "#7a5c00", "#1c2128"),
)
DARK = Palette(
    text="#e6edf3",
    muted="#9aa4b0",
    grid="#39424d",
    background="#0f1419",
    members="#ff9d5c",
    nonmembers="#56b4e9",
    chance="#9aa4b0",
    blind="#e5c14d",
    none="#e6edf3",
    random="#8b949e",
    influence="#56b4e9",
    weighted="#ff9d5c",
    cycle=("#56b4e9", "#ff9d5c", "#3fc79a", "#dc9bc9", "#e5c14d", "#e6edf3"),
)
