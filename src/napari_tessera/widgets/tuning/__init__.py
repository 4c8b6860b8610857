"""Tune: the fastest tiles here, measured, and set in the dock."""
