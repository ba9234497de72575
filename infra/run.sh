#!/usr/bin/env bash
# The pipeline, then the scorer; Redis stops with it.
set -euo pipefail
trap 'python -m infra.redis_server stop' EXIT
infra/pipeline.sh
python -m serving || [ $? -eq 130 ] # Ctrl-C is the way to stop it
