"""What the readings of the check strip mean, explained and drawn."""
