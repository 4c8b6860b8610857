#!/bin/sh
# The same without dask-cuda: each process sees one GPU only.
#
#     sh gpu-worker-plain.sh tcp://10.0.0.5:8786 [GPUS] [THREADS of each]
set -eu
gpus="${2:-$(nvidia-smi --list-gpus | wc -l)}"
pids=
trap 'kill $pids 2> /dev/null || true' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
gpu=0
while [ "$gpu" -lt "$gpus" ]; do
    CUDA_VISIBLE_DEVICES="$gpu" dask worker "$1" --name "$(hostname)-gpu$gpu" --nthreads "${3:-4}" \
        --memory-limit 0 --no-dashboard --death-timeout 60 \
        --local-directory "${TMPDIR:-/tmp}" &
    pids="$pids $!"
    gpu=$((gpu + 1))
done
wait
