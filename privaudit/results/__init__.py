"""Results of an audit, as they are saved and loaded."""
