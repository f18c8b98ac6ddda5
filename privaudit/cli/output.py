"""Both streams: standard output that may be closed before everything was written, errors of one line per problem."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

import typer

from privaudit.errors import PrivauditError
from privaudit.escape import terminal


@contextmanager
def to_reader() -> Generator[None]:
    """Let a reader such as ``head`` go when it has seen enough: the files are written, and the exit code stands."""
    try:
        yield
        if sys.stdout is not None:  # a shell's >&- leaves none
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_error(error: Exception) -> None:
    """Print an error on standard error, one line per problem; names in it reach no terminal as control codes."""
    for problem in reasons_of(error):
        typer.echo(f"error: {terminal(problem)}", err=True)


def reasons_of(error: BaseException) -> tuple[str, ...]:
    """Split an error into its problems.

    Returns:
        One sentence each, at least one.
    """
    if isinstance(error, PrivauditError) and error.problems:
        return error.problems
    return (str(error) or type(error).__name__,)
