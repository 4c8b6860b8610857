"""The write strategies, by their documented names."""
