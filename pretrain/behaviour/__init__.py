"""The behaviour that comes with the project: linear policies and scripted experts, played into datasets."""
