"""Run a command as a user does: arguments in, both streams and the exit code out."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from privaudit.cli import main


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def privaudit(capsys, monkeypatch, root):
    """Run a command in the folder `root` of the test module, in this process: torch is loaded once."""
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["privaudit", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        return Done(stopped.value.code or 0, captured.out, captured.err)

    return run
