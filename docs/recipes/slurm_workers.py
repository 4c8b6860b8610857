"""A scheduler here, and workers as SLURM jobs, until Ctrl+C: python slurm_workers.py 8."""

import signal
import sys
from threading import Event

import dask
from dask_jobqueue import SLURMCluster
from distributed import Security

if __name__ == "__main__":
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    secure = dask.config.get("distributed.comm.require-encryption")
    with SLURMCluster(security=Security() if secure else None) as cluster:
        cluster.scale(jobs=int(sys.argv[1]))
        print(f"--cluster {cluster.scheduler_address}", flush=True)
        stop.wait()
