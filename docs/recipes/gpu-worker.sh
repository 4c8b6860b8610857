#!/bin/sh
# Workers of one machine with NVIDIA GPUs: one process each, by dask-cuda. CUDA_VISIBLE_DEVICES
# says which GPUs, if not all.
#
#     sh gpu-worker.sh tcp://10.0.0.5:8786 [THREADS of each]
set -eu
exec dask cuda worker "$1" --nthreads "${2:-4}" \
    --memory-limit 0 --device-memory-limit 0 --no-dashboard --death-timeout 60 \
    --local-directory "${TMPDIR:-/tmp}"
