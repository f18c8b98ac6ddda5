"""Audits, from their options to their results."""
