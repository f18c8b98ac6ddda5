"""Prints results and comparisons on the terminal."""
