"""Algorithm 2's updates, and the transitions that they learn from."""
