from .addresses import LOCAL
from .connecting import cluster_client
from .errors import ClusterError

__all__ = ["LOCAL", "ClusterError", "cluster_client"]
