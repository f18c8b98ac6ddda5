"""Executors, one per file; each registers itself."""
