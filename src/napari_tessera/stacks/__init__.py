"""Where pixels come from: the `ImageStack` protocol and its implementations.

Names are imported on first use, so that none needs the library of another's format.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
