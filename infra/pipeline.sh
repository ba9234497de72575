#!/usr/bin/env bash
# Redis, the clock, then the pipeline up to a filled Redis.
set -euo pipefail
python -m infra.redis_server start
# What was accepted since the last run is in the log before anything is built from it.
python -m feature_repo.live --once
# The log and what was served since decide where replayed time begins; a first run has neither yet.
dvc repro validate_log
python -m feature_repo.replay_start
python -m feature_repo.materialize --check
dvc repro
