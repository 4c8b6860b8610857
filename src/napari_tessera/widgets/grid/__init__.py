"""How tiles and their states are drawn over an image, and what is said of the one pointed at."""
