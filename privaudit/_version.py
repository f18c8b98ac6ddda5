"""The version of the package, which pyproject.toml and every record read from here."""

__version__ = "0.1.0"
