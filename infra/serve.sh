#!/usr/bin/env bash
# Run the scorer and the consumer of accepted events on the output of an earlier pipeline run. Redis stops with them.
set -euo pipefail
consumer=
stop() {
    [ -z "$consumer" ] || { kill "$consumer" && wait "$consumer"; } || true # the consumer writes the last events to the log before it ends
    python -m infra.redis_server stop
}
trap stop EXIT
python -m infra.redis_server start
python -m feature_repo.replay_start
python -m feature_repo.live &
consumer=$!
python -m serving || [ $? -eq 130 ] # Ctrl-C is the way to stop it
