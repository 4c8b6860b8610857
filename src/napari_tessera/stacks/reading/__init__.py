"""What several kinds of stack read with."""
