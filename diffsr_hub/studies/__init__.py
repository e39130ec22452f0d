"""Recorded runs, compared over their seeds: tables, pictures, transfer matrices."""
