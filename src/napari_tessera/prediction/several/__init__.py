"""Many images, one after another: found, predicted to disk, and told of in a report.

Names are imported on first use, as in `napari_tessera` itself.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
