"""Whole images into files: the write functions, and which format a name asks for."""
