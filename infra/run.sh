#!/usr/bin/env bash
# Run the pipeline, then the scorer and the consumer of accepted events. Redis stops when they stop.
set -euo pipefail
consumer=
stop() {
    [ -z "$consumer" ] || { kill "$consumer" && wait "$consumer"; } || true # the consumer writes the last events to the log before it ends
    python -m infra.redis_server stop
}
trap stop EXIT
infra/pipeline.sh
python -m feature_repo.live &
consumer=$!
python -m serving || [ $? -eq 130 ] # Ctrl-C is the way to stop it
