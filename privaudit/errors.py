"""Errors that privaudit raises on purpose.

Each message has three parts: what was expected, what was found, and what to do. The command line prints one line per
problem and exits with code 2. Any other exception is a defect of privaudit and is shown with its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence


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


class NonFiniteError(PrivauditError):
    """A tensor that must be finite contains NaN or infinity; the message names the images that it came from."""


class ResultError(PrivauditError):
    """A saved run or report cannot be read."""
