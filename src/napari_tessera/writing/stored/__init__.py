"""A run in a store: begun, resumed, stopped, finished, and the ledger of its tiles."""
