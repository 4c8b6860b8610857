"""One prediction by many processes, on this computer or a cluster, through Dask distributed.

Names are imported on first use, as in `napari_tessera` itself; Dask is needed only where a cluster
is asked for (extra ``cluster``).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
