"""HDF5 datasets, and Imaris images, which are HDF5."""
