"""Zarr arrays and OME-Zarr images, wherever they lie."""
