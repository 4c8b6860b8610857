"""Where in an image is denoised: masks and shapes, and the tiles of a grid that they meet."""
