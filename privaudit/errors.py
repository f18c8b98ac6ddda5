"""Every error that privaudit raises on purpose.

Each message has three parts: what was expected, what was found, and what to do. The command line
prints it as one line and exits with code 2; anything that is not a `PrivauditError` is a defect of
ours and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence


class PrivauditError(ValueError):
    """Base of all errors that a user can act on.

    Attributes:
        problems: What is wrong, one sentence per problem.
        private: Parts of the message that name single images, or a place that no option names: the user reads them,
            and a report that leaves the machine does not have them.
    """

    def __init__(self, *problems: str, private: Sequence[str] = ()) -> None:
        """Join the problems into one message.

        Args:
            problems: What was expected, what was found, what to do.
            private: Parts of them, as they stand there.
        """
        super().__init__("; ".join(problems))
        self.problems = problems
        self.private = tuple(private)


class DataError(PrivauditError):
    """An image set is missing, empty, unreadable or not what the audit needs."""


class TargetError(PrivauditError):
    """A model cannot be loaded or is of a kind that privaudit does not read."""


class ConfigError(PrivauditError):
    """One or more options are wrong; all of them are named at once."""

    def __init__(self, problems: Sequence[str], *, private: Sequence[str] = ()) -> None:
        """Join the problems into one message.

        Args:
            problems: One sentence per problem, at least one.
            private: Parts of them, as they stand there.
        """
        super().__init__(*problems, private=private)


class NonFiniteError(PrivauditError):
    """A tensor that must be finite holds NaN or infinity; names the images it came from."""


class ResultError(PrivauditError):
    """A saved run or report cannot be read."""
