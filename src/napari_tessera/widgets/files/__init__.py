"""*Files…*: many files, folders and plates, denoised one after another with the dock's settings."""
