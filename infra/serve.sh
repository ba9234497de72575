#!/usr/bin/env bash
# Run the scorer and the consumer of accepted events on the output of an earlier pipeline run. Redis stops with them.
set -euo pipefail
source infra/service.sh
python -m feature_repo.replay_start
serve
