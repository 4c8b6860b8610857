"""Training a denoiser on one's own stack: Noise2Void, N2V2, and with clean images.

Names are imported on first use, so that naming this room does not load torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
