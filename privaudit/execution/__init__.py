"""Runs a computation over many images: batches, memory, shards, progress."""
