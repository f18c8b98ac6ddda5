"""Running a computation over many images: batches, memory, shards, progress."""
