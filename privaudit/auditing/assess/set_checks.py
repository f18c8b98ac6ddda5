"""Checks of what was read from the image sets: their captions, and what lies in them and is no image of theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from privaudit.data.layouts import CaptionChoices
from privaudit.evaluation import Check, Fact, fact
from privaudit.results.data_report import SetReport

CAPTIONS, CLASSES, LEFT_OUT = "captions", "classes", "files left out"
"""Names of the checks."""
MAX_MISSING = 0.1
"""Fraction of a set without a caption from which the check warns."""
KINDS: Mapping[str, Callable[[int, str], Fact]] = {
    "mask": lambda count, _: fact("masks_left_out", files=count),
    "regularisation": lambda count, _: fact("regularisation_left_out", files=count),
    "cached latents": lambda count, _: fact("latents_left_out", files=count),
    "empty row": lambda count, _: fact("rows_left_out", rows=count),
    "video": lambda count, _: fact("videos_left_out", files=count),
    "not in metadata": lambda count, _: fact("unlisted_left_out", files=count),
    "container": lambda count, suffix: fact("containers_left_out", files=count, suffix=suffix),
    "unsafe name": lambda count, _: fact("unsafe_names_left_out", files=count),
    "other format": lambda count, suffix: fact("formats_left_out", files=count, suffix=suffix or "without a suffix"),
}
"""Facts by kind of what was left out."""
TEXT = frozenset({".txt", ".md", ".json", ".jsonl", ".csv", ".yaml", ".yml", ".toml", ".html", ".log", ".caption"})
"""Suffixes of files that hold no images."""
EXPECTED = frozenset({"mask", "regularisation", "cached latents"})
"""Kinds that trainers put next to images, and that are no images of the set."""


def set_checks(
    sets: Sequence[SetReport], choices: CaptionChoices, classes: Sequence[str] = (), *, takes_captions: bool
) -> tuple[Check, ...]:
    """Check what was read from the image sets.

    Args:
        sets: How each set was read.
        choices: Which captions are used.
        classes: Names of classes whose numbers are a guess, in order.
        takes_captions: Whether the model reads captions.

    Returns:
        A check of the captions or classes if the model reads them, and one of what was left out if anything was.
    """
    captions = (_caption_check(sets, choices),) if takes_captions and sets else ()
    return (*captions, *_class_check(classes), *_left_out_check(sets))


def _class_check(classes: Sequence[str]) -> tuple[Check, ...]:
    if not classes:
        return ()
    code = "class_names_are_numbers" if all(name.isdigit() for name in classes) else "classes_numbered"
    # a number and no names: facts appear in every report, and the names of folders may be private
    return (Check(CLASSES, "warn", (fact(code, classes=len(classes)),)),)


def _caption_check(sets: Sequence[SetReport], choices: CaptionChoices) -> Check:
    total, captioned = sum(part.images for part in sets), sum(part.captioned for part in sets)
    # What the user has chosen is no mistake.
    chosen = choices.caption is not None or choices.column is not None
    unused = [part for part in sets if part.unused_captions]
    facts = [_unused(part, choices) for part in unused[:1]]
    missing = sum(part.uncaptioned for part in sets)
    # By set, since a small one without captions would not be noticed next to a large one with them.
    many_missing = any(part.uncaptioned >= MAX_MISSING * part.images > 0 for part in sets)
    if not captioned:
        facts.append(fact("captions_absent" if missing else "captions_left_empty"))
        return Check(CAPTIONS, "warn" if missing else "ok", tuple(facts))
    where = " and ".join(dict.fromkeys(part.caption_source for part in sets if part.caption_source))
    facts.append(fact("captions_read", images=captioned, total=total, where=where))
    if many_missing:
        facts.insert(0, fact("captions_missing", images=missing, total=total))
    several = sum(part.several_captions for part in sets)
    # Lines of a file may be captions or one caption; those of a column are captions.
    many_lines = not chosen and any(
        "files" in part.caption_source and part.several_captions >= MAX_MISSING * part.images > 0 for part in sets
    )
    if several:
        facts.append(fact("caption_lines_may_be_one" if many_lines else "captions_several", images=several))
    cut = sum(part.cut_captions for part in sets)
    many_cut = not chosen and any(part.cut_captions >= MAX_MISSING * part.captioned > 0 for part in sets)
    if cut:
        facts.append(fact("captions_may_be_longer" if many_cut else "captions_cut", images=cut, total=captioned))
    doubtful = (unused and not chosen) or many_missing or many_lines or many_cut
    return Check(CAPTIONS, "warn" if doubtful else "ok", tuple(facts))


def _unused(part: SetReport, choices: CaptionChoices) -> Fact:
    if choices.caption is not None:
        return fact("captions_replaced", where=part.unused_captions)
    return fact("captions_not_used", images=part.images, where=part.unused_captions)


def _left_out_check(sets: Sequence[SetReport]) -> tuple[Check, ...]:
    counts: Counter[tuple[str, str]] = Counter()
    for part in sets:
        for item in part.left_out:
            counts[item.kind, item.suffix] += item.files
    if not counts:
        return ()
    harmless = all(kind in EXPECTED or (kind == "other format" and suffix in TEXT) for kind, suffix in counts)
    facts = (left_out_fact(kind, suffix, count) for (kind, suffix), count in counts.items())
    return (Check(LEFT_OUT, "ok" if harmless else "warn", tuple(facts)),)


def left_out_fact(kind: str, suffix: str, count: int) -> Fact:
    """Say as a fact how many files or rows of one kind are no images of a set."""
    return KINDS[kind](count, suffix)
