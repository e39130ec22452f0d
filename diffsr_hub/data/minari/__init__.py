"""Datasets in Minari's format: ids, files, downloads, provenance."""
