"""A model as a folder, on this machine or on the Hub."""
