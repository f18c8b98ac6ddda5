"""`privaudit demo`: scan the target that ships with the package."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import typer

from privaudit.cli.given import given
from privaudit.cli.scan import ScanCommand, scan

FOLDER = Path("privaudit-runs/demo")
FILLED_IN = ("target", "members", "nonmembers", "canaries")
"""What `demo` passes to `scan` itself; every other option of `scan` is an option of `demo`."""


class DemoCommand(ScanCommand):
    """The demo's own command: a project's files say nothing about the demo's images, and its run is not overwritten."""

    not_from_files = frozenset({"suspects", "reference", "out"})

    def target_of(self, values: Mapping[str, Any]) -> str:
        """The model that ships with the package."""
        from privaudit.lab.demo_target import TARGET

        return str(TARGET)

    def folder_of(self, values: Mapping[str, Any]) -> Path | None:
        """The demo's own folder."""
        return FOLDER


def demo(**chosen: Any) -> None:  # noqa: ANN401 - scan's own types, see below
    """Scan the small model that ships with privaudit, whose members are known."""
    from privaudit.lab.demo_target import TARGET, DemoImages, unpack_demo_images

    chosen["out"] = chosen["out"] or FOLDER
    folder = chosen["out"] / "images"
    images = DemoImages(folder / "members", folder / "nonmembers")
    if not given().problems and not given().only_check:
        images = unpack_demo_images(folder)
    if not chosen["quiet"] and not given().only_check:
        typer.echo(f"privaudit scan {TARGET} --members {images.members} --nonmembers {images.nonmembers}", err=True)
    scan(target=str(TARGET), members=images.members, nonmembers=images.nonmembers, canaries=None, **chosen)


def _take_options_of_scan() -> None:
    own = inspect.signature(scan, eval_str=True)
    kept = [parameter for name, parameter in own.parameters.items() if name not in FILLED_IN]
    hints = get_type_hints(scan, include_extras=True)
    demo.__signature__ = own.replace(parameters=kept)  # type: ignore[attr-defined]
    demo.__annotations__ = {name: hint for name, hint in hints.items() if name not in FILLED_IN}


_take_options_of_scan()
