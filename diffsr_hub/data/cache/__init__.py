"""Datasets as memory-mapped arrays on disk."""
