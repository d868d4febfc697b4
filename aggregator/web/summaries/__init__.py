"""Machine-written texts of stories (`summarise:`): what goes out and comes back, and the thread that asks."""
