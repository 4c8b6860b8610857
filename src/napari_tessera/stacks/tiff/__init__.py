"""TIFF files, one by one and many as one image."""
