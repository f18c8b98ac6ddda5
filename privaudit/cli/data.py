"""`privaudit data`: what would be read from image sets, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from privaudit.auditing.image_options import ImageOptions
from privaudit.auditing.model_options import read_resolution
from privaudit.auditing.option_table import in_order_of_help
from privaudit.cli.option_state import options_together
from privaudit.cli.output import tolerate_closed_stdout
from privaudit.cli.progress import StageProgress
from privaudit.cli.signature import Config, Quiet, takes

SHARED = [name for name in in_order_of_help(ImageOptions) if name != "target"]


@takes(ImageOptions, SHARED)
def data(
    *,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Folders, tables, archives or hub:OWNER/NAME.")
    ],
    resolution: Annotated[
        str, typer.Option(metavar="PIXELS", help="Size to which a model would read the images: 1024 or 768x1024.")
    ] = "512",
    strict: Annotated[bool, typer.Option("--strict", help="Stop at anything that is left out or unreadable.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")] = False,
    quiet: Quiet = False,
    config: Config = None,
    **options: Any,  # noqa: ANN401 - options of `ImageOptions`
) -> None:
    """Show what an audit would read from image sets: layout, captions, what is left out. Needs no model."""
    del config  # ConfiguredCommand has read it
    from json import dumps

    from privaudit.storage.exact_json import encode
    from privaudit.tasks.data_overview import describe_set
    from privaudit.tasks.data_summary import print_overviews

    with options_together():
        chosen = ImageOptions.parse(target="", **options)
        size = read_resolution(resolution)
    overviews = []
    with StageProgress(quiet=quiet, resumes=False) as progress:
        for path in paths:
            overviews.append(
                describe_set(
                    path,
                    size or (512, 512),
                    reading=chosen.reading,
                    choices=chosen.caption_choices,
                    strict=strict,
                    on_image=lambda done, total: progress("images", done, total),
                )
            )
    with tolerate_closed_stdout():
        if json:
            typer.echo(dumps(encode(overviews), indent=2))
        else:
            print_overviews(overviews)
