"""`privaudit origin`: did these images come out of this model?"""

from __future__ import annotations

from typing import Any

from privaudit.cli.given import options_together
from privaudit.cli.output import to_reader
from privaudit.cli.progress import StageProgress
from privaudit.cli.signature import Config, Quiet, takes
from privaudit.tasks.origin_options import OriginOptions


@takes(OriginOptions)
def origin(
    *,
    quiet: Quiet = False,
    config: Config = None,
    **options: Any,  # noqa: ANN401 - those of `OriginOptions`, as the command line has them
) -> None:
    """Say whether images came out of a model: inversion explains its own generations almost exactly.

    Generates images of its own to compare with, and writes origin.csv with a p-value for each image.
    """
    del config  # ConfiguredCommand has read it
    from privaudit.tasks.origin_summary import print_origin
    from privaudit.tasks.origin_test import run_origin

    with options_together():
        chosen = OriginOptions.parse(**options)
    with StageProgress(quiet=quiet, resumes=False) as progress:
        found = run_origin(chosen, progress)
    with to_reader():
        print_origin(found)
