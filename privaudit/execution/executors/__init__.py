"""Executors: one file each, discovered in this folder."""
