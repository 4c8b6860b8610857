"""From what a person names to the stack that reads it."""
