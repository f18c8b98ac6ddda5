"""What an audit compares: known members, canaries or suspects, each against non-members."""
