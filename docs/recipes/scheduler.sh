#!/bin/sh
# The scheduler: one small process that computes nothing, on a machine that all others reach.
#
#     sh scheduler.sh [HOST] [PORT]     HOST: this machine's address in the cluster's network
set -eu
exec dask scheduler --host "${1:-0.0.0.0}" --port "${2:-8786}" --no-dashboard
