"""Layouts of image sets, one per file; `privaudit.data.listing` asks them in order of rank."""

from privaudit.data.layouts.layout import LAYOUTS, CaptionChoices, Layout

__all__ = ["LAYOUTS", "CaptionChoices", "Layout"]
