"""Looking at input and output against each other, and at several models side by side."""
