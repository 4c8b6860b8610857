"""The napari front: the dock, the live output layer, the tile grid, and what runs them."""
