"""Inversion, origin test and geometry maps: their options, runs, results and summaries.

Also the terminal summaries of a sweep, a dry run and a canary draw.
"""
