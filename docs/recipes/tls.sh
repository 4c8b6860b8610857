#!/bin/sh
# A certificate of the cluster's own. Whoever has both files may take part: copy them to all
# machines, readable by you alone.
#
#     sh tls.sh ~/tessera-tls
set -eu
umask 077
mkdir -p "$1"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
    -subj "/CN=napari-tessera" -keyout "$1/cluster.key" -out "$1/cluster.pem"
