"""Meta-World: fifty tasks of one robot, with one state of 39 numbers and one action of 4."""
