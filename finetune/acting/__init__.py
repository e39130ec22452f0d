"""Environments: made, stepped in training, evaluated, filmed."""
