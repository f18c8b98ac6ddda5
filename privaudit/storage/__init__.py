"""Files on disk: exact JSON, locked folders, atomic writes, shards."""
