"""How tiles get to where the model runs, and their cores back."""
