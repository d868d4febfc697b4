"""Learn the lines that outlets repeat, and the names of outlets."""
