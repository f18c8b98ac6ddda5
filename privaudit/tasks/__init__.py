"""Smaller questions than an audit: inversion, origin and geometry of images, each with what it prints."""
