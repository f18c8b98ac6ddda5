"""Invert, origin and geometry maps: options, run, result and what is printed; what a sweep, a dry run, a draw print."""
