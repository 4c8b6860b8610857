"""What the dock keeps of its settings: for its next opening, and in files of people's own."""
