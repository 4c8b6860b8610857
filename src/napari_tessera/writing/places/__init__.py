"""Which places can be written to, and what is kept of one while a run writes there."""
