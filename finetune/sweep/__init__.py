"""`diffsr sweep`: many runs, planned, carried out and resumed."""
