"""Random patches spread evenly over the image, with parts excluded or drawn less."""
