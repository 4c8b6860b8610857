"""How pixels become chunks, shards and the levels of a pyramid, each written once."""
