"""Models and settings side by side, on what is in view."""
