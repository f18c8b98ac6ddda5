"""The `privaudit` command."""

from privaudit.cli.main import app, main

__all__ = ["app", "main"]
