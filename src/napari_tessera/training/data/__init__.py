"""What is trained on: where patches come from, what is held out, and the grey levels."""
