"""What lies on the disk: exact JSON, locked folders, files that are whole or absent, shards."""
