"""Suites of tasks: their names, environments, rewards and bundled data."""
