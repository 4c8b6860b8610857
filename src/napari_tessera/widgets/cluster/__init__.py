"""Runs on a Dask cluster, asked for and watched in the dock."""
