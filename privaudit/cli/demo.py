"""`privaudit demo`: scan the target that ships with the package."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import typer

from privaudit.cli.option_state import current_options
from privaudit.cli.scan import ScanCommand, scan

FOLDER = Path("privaudit-runs/demo")
FILLED_IN = ("target", "members", "nonmembers", "canaries")
"""Options that `demo` passes to `scan` itself; all others are options of `demo`, too."""


class DemoCommand(ScanCommand):
    """Command of the demo; it does not read options of a project's files that concern the project's own images."""

    not_from_files = frozenset({"suspects", "reference", "out"})

    def target_of(self, values: Mapping[str, Any]) -> str:
        """Folder of the model that ships with the package."""
        from privaudit.lab.demo_target import TARGET

        return str(TARGET)

    def folder_of(self, values: Mapping[str, Any]) -> Path | None:
        """Run folder of the demo."""
        return FOLDER


def demo(**chosen: Any) -> None:  # noqa: ANN401 - options of scan, see below
    """Scan the small model that ships with privaudit, whose members are known."""
    from privaudit.lab.demo_target import TARGET, DemoImages, unpack_demo_images

    chosen["out"] = chosen["out"] or FOLDER
    folder = chosen["out"] / "images"
    images = DemoImages(folder / "members", folder / "nonmembers")
    # Nothing is written for a call that will be refused, or that only checks its options.
    if not current_options().problems and not current_options().only_check:
        images = unpack_demo_images(folder)
    if not chosen["quiet"] and not current_options().only_check:
        typer.echo(f"privaudit scan {TARGET} --members {images.members} --nonmembers {images.nonmembers}", err=True)
    scan(target=str(TARGET), members=images.members, nonmembers=images.nonmembers, canaries=None, **chosen)


def _take_options_of_scan() -> None:
    """Give `demo` the signature of `scan`, from which typer reads the options, without those of `FILLED_IN`."""
    signature = inspect.signature(scan, eval_str=True)
    parameters = [parameter for name, parameter in signature.parameters.items() if name not in FILLED_IN]
    hints = get_type_hints(scan, include_extras=True)
    demo.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    demo.__annotations__ = {name: hint for name, hint in hints.items() if name not in FILLED_IN}


_take_options_of_scan()
