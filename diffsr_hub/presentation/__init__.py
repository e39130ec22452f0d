"""How results are shown: Markdown tables and pictures."""
