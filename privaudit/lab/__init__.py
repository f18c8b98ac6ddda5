"""Trains small targets whose members are known, and ships the target and the images of the demo."""
