"""The dock *Train on this layer*: a denoiser is trained on the image at hand."""
