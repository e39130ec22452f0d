"""Stage 1, offline: Algorithm 1 over Minari datasets, in a Lightning module."""
