"""What OME-Zarr says of an image, and in which order of axes."""
