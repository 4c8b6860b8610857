"""Workers as SLURM jobs, the run, and no jobs left: python slurm_predict.py IN OUT 8."""

import sys

from dask_jobqueue import SLURMCluster
from distributed import Client

from napari_tessera import predict_to_disk

if __name__ == "__main__":
    image, output, jobs = sys.argv[1:]
    with SLURMCluster() as cluster, Client(cluster) as client:
        # as jobs start; a job that is over is replaced
        cluster.adapt(minimum_jobs=1, maximum_jobs=int(jobs))
        predict_to_disk(image, "builtin:denoise2d", output, client=client, resume=True)
