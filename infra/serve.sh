#!/usr/bin/env bash
# The scorer over what the pipeline left; Redis stops with it.
set -euo pipefail
trap 'python -m infra.redis_server stop' EXIT
python -m infra.redis_server start
python -m infra.anchor
python -m serving || [ $? -eq 130 ] # Ctrl-C is the way to stop it
