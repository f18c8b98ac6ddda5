"""Version of the package; pyproject.toml and saved reports take it from here."""

__version__ = "0.1.0"
