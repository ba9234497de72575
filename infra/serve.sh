#!/usr/bin/env bash
# The scorer and the consumer of accepted events, over what the pipeline left; Redis stops with them.
set -euo pipefail
consumer=
stop() {
    [ -z "$consumer" ] || { kill "$consumer" && wait "$consumer"; } || true # it drains a last time
    python -m infra.redis_server stop
}
trap stop EXIT
python -m infra.redis_server start
python -m feature_repo.replay_start
python -m feature_repo.live &
consumer=$!
python -m serving || [ $? -eq 130 ] # Ctrl-C is the way to stop it
