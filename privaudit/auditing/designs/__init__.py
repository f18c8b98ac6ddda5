"""Designs of an audit: known members, canaries or suspects, each compared with non-members."""
