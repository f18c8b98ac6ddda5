"""Renders reports; every renderer needs only the result of an audit or of a comparison."""
