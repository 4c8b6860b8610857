"""Try one tile: click in the image, see what it gives and what everything would take."""
