"""Live preview: the output layer follows what is looked at."""
