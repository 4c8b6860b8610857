#!/bin/bash
#SBATCH --job-name=tessera
#SBATCH --ntasks=8
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
# All in one job: scheduler, a worker for each task, and the run.
#
#     sbatch slurm-job.sh s3://bucket/in.zarr OUT.ome.zarr --model builtin:denoise2d
#     sbatch --partition=gpu --gpus-per-task=1 slurm-job.sh …
#
# The same line again goes on with a run that the time limit ended.
set -eu
file="$PWD/tessera-$SLURM_JOB_ID.json"
# workers first: they would miss the scheduler
trap '{ kill %2; wait %2; kill %1; wait %1; } 2> /dev/null || true; rm -f "$file"' EXIT

dask scheduler --port 0 --no-dashboard --scheduler-file "$file" &
until [ -s "$file" ]; do sleep 1; done
srun dask worker --scheduler-file "$file" --nthreads "$SLURM_CPUS_PER_TASK" \
    --memory-limit 0 --no-dashboard --local-directory "${TMPDIR:-/tmp}" &

address=$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["address"])' "$file")
napari-tessera predict "$@" --cluster "$address" --resume
