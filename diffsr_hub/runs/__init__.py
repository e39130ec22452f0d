"""What both stages mean by a run: its command line, its folder, its interruption, its software."""
