"""New tasks for three of Gymnasium's MuJoCo robots."""
