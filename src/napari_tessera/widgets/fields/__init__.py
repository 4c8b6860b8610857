"""The dock's fields: each a small Qt widget that knows its own words, values and messages."""
