"""A data set of the Hugging Face hub, by name."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from privaudit.data.layouts.embedded_images import list_tables
from privaudit.data.layouts.layout import LAYOUTS, CaptionChoices, Layout
from privaudit.data.layouts.splits import choose_split
from privaudit.data.listed import Listing
from privaudit.errors import DataError

PREFIX = "hub:"
_NAME = re.compile(
    r"hub:(?P<name>\w[\w.-]*/\w[\w.-]*)(?:/(?P<configuration>\w[\w.-]*))?(?:@(?P<split>\w[\w.-]*))?", re.ASCII
)


@LAYOUTS.register
class HubSet(Layout):
    """A split of a data set of the hub, which `datasets` downloads to its cache."""

    name: ClassVar[str] = "hub"
    summary: ClassVar[str] = "hub:OWNER/NAME or hub:OWNER/NAME@SPLIT, a data set of the Hugging Face hub"
    rank: ClassVar[int] = 10

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Whether it has the prefix of such names; nothing else is looked up on the hub."""
        return is_hub_name(source)

    @classmethod
    def list(cls, source: Path, choices: CaptionChoices) -> Listing:
        """List the rows of the split, in order."""
        match = _NAME.fullmatch(source.as_posix())
        if match is None:
            raise DataError(
                f"expected hub:OWNER/NAME, hub:OWNER/NAME@SPLIT or hub:OWNER/NAME/CONFIGURATION@SPLIT, got {source}"
            )
        tables = _download(match["name"], match["configuration"], match["split"])
        listing = list_tables(tables, choices)
        return Listing("hub", listing.entries, listing.left_out, listing.captions)


def is_hub_name(source: Path) -> bool:
    """Whether a source names a data set of the hub."""
    return source.as_posix().startswith(PREFIX)


def _download(name: str, configuration: str | None, split: str | None) -> list[Path]:
    """Arrow files of a split in the cache of `datasets`, which downloads what is not there."""
    datasets = _package()
    source = Path(f"{PREFIX}{name}")
    try:
        with _quiet():
            splits = set(datasets.get_dataset_split_names(name, configuration))
            chosen = choose_split(source, splits, split)
            table = datasets.load_dataset(name, configuration, split=chosen)
    except DataError:
        raise
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"cannot read {source}: {reason}; check the name, the network and HF_HUB_OFFLINE") from error
    return [Path(part["filename"]) for part in table.cache_files]


@contextmanager
def _quiet() -> Generator[None]:
    """Silence the warnings about every attempt to reach the hub; the error says what came of them."""
    loggers = [logging.getLogger(name) for name in ("huggingface_hub", "datasets")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _package() -> Any:  # noqa: ANN401 - an optional package
    try:
        import datasets
    except ImportError as error:
        problem = "expected the package datasets, which reads the hub, found none; pip install 'privaudit[datasets]'"
        raise DataError(problem) from error
    return datasets
