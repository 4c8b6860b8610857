#!/bin/sh
# Workers of one machine without GPUs.
#
#     sh worker.sh tcp://10.0.0.5:8786 [PROCESSES] [THREADS of each]
#
# Each process has one block at a time, and computes it with all of its threads.
set -eu
# else Dask has them give memory back at once, and networks take 1.5 times as long
export MALLOC_TRIM_THRESHOLD_=33554432 MALLOC_MMAP_THRESHOLD_=33554432
exec dask worker "$1" --nworkers "${2:-1}" --nthreads "${3:-4}" \
    --memory-limit 0 --no-dashboard --death-timeout 60 \
    --local-directory "${TMPDIR:-/tmp}"
