"""One online run from its first step to its agent: loop, record, checkpoint, export."""
