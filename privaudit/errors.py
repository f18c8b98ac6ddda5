"""Errors that privaudit raises on purpose.

Each message has three parts: what was expected, what was found, and what to do. The command line prints one line per
problem and exits with code 2. Any other exception is a defect of privaudit and is shown with its traceback.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

_OPTION = re.compile(r"`([a-z_]+)`")
"""Name of an option in a problem of `OptionNames`."""


class PrivauditError(ValueError):
    """Base of all errors that a user can act on.

    Attributes:
        problems: Problems, one sentence per problem.
        private: Parts of the message that name single images or paths that no option names. The user sees them;
            reports for sharing omit them.
    """

    def __init__(self, *problems: str, private: Sequence[str] = ()) -> None:
        """Join the problems into one message.

        Args:
            problems: Sentences that say what was expected, what was found and what to do.
            private: Private parts of these sentences, verbatim.
        """
        super().__init__("; ".join(problems))
        self.problems = problems
        self.private = tuple(private)


class DataError(PrivauditError):
    """An image set is missing, empty, unreadable or unsuitable for the audit."""


class TargetError(PrivauditError):
    """A model cannot be loaded or is of an unsupported kind."""


class ConfigError(PrivauditError):
    """One or more options are wrong; the message names all of them."""

    def __init__(self, problems: Sequence[str], *, private: Sequence[str] = ()) -> None:
        """Join the problems into one message.

        Args:
            problems: Sentences, one per problem, at least one.
            private: Private parts of these sentences, verbatim.
        """
        super().__init__(*problems, private=private)


class OptionNames(PrivauditError):
    """Base of errors whose problems name options: by keyword from Python, by flag on the command line.

    Attributes:
        templates: The problems with the keyword of each option between backquotes, such as ```mask_scope```.
    """

    templates: tuple[str, ...]

    def named(self, name_of: Callable[[str], str]) -> tuple[str, ...]:
        """Return the problems with another name for each option.

        Args:
            name_of: Function from the keyword of an option to its name.
        """
        return tuple(_OPTION.sub(lambda match: name_of(match[1]), template) for template in self.templates)


class OptionNeededError(ConfigError, OptionNames):
    """An option has to be passed or left out because of what the files hold; the message names it."""

    def __init__(self, template: str) -> None:
        """Make the message.

        Args:
            template: Sentence with the keyword of each option between backquotes.
        """
        self.templates = (template,)
        super().__init__(by_keyword(self.templates))


class SetsError(DataError, OptionNames):
    """One or more image sets cannot be used; the message names the options that name them."""

    def __init__(self, *templates: str, private: Sequence[str] = ()) -> None:
        """Join the problems into one message.

        Args:
            templates: Sentences with the keyword of each option between backquotes.
            private: Private parts of these sentences, verbatim.
        """
        self.templates = templates
        super().__init__(*by_keyword(templates), private=private)


def by_keyword(templates: Sequence[str]) -> list[str]:
    """Return problems without the backquotes around the keywords of options."""
    return [_OPTION.sub(r"\1", template) for template in templates]


def did_you_mean(text: str, known: Iterable[str], *, cutoff: float = 0.6, folder: str = "") -> str:
    """Suggest the name that a text may be a misspelling of.

    Args:
        text: What was written.
        known: Names that can be written.
        cutoff: Minimum similarity in [0, 1].
        folder: Text before the suggestion, such as the folder of a file name.

    Returns:
        The end of a message, such as ``; did you mean sima?``; empty if no name is similar.

    >>> did_you_mean("sma", ["pia", "sima"])
    '; did you mean sima?'
    """
    close = get_close_matches(text, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {folder}{close[0]}?" if close else ""


class NonFiniteError(PrivauditError):
    """A tensor that must be finite contains NaN or infinity; the message names the images that it came from."""


class ResultError(PrivauditError):
    """A saved run or report cannot be read."""
