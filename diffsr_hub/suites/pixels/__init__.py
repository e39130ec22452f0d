"""Environments seen through a camera: a cheap way to draw MuJoCo's models, and pictures as observations."""
