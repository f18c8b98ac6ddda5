"""An audit from its options to its result."""
