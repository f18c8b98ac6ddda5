"""What an audit found, as it is saved and read again."""
