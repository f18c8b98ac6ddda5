"""Standard output that its reader may close early, and standard error with one line per problem."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

import typer

from privaudit.cli.option_state import current_options
from privaudit.errors import OptionNames, PrivauditError
from privaudit.escape import terminal


@contextmanager
def tolerate_closed_stdout() -> Generator[None]:
    """Context for printing results: a reader such as ``head`` may close standard output early without an error.

    The files have been written by then, and the exit code stays that of the command.
    """
    try:
        yield
        if sys.stdout is not None:  # None if the shell closed it with >&-
            sys.stdout.flush()  # inside the try block: a pipe may break only when the buffer is written
    except BrokenPipeError:
        # Python flushes once more at exit, which would print another error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_error(error: Exception) -> None:
    """Print an error on standard error, one line per problem and note, with control characters escaped."""
    for problem in reasons_of(error):
        typer.echo(f"error: {terminal(problem)}", err=True)
    print_notes(error)


def print_notes(error: BaseException) -> None:
    """Print the notes that were added to an error on standard error."""
    for note in getattr(error, "__notes__", ()):
        typer.echo(f"note: {terminal(note)}", err=True)


def reasons_of(error: BaseException) -> tuple[str, ...]:
    """Return the problems of an error.

    Returns:
        At least one sentence, one per problem; the class name of an error without a message.
    """
    if isinstance(error, OptionNames):
        return error.named(current_options().name_of)
    if isinstance(error, PrivauditError) and error.problems:
        return error.problems
    return (str(error) or type(error).__name__,)
