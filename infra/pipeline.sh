#!/usr/bin/env bash
# Start Redis and the clock, then run the pipeline until Redis holds the features. With --stay, Redis stays after it.
set -euo pipefail
# What dvc knows of the settings and the parameters; it fails here where one is wrong, before anything runs.
python -m infra.effective
lock=$(python -m infra.redis_server lock-file)
exec 9>>"$lock" # locked by the next line, so that no other script stops Redis
python -m infra.redis_server start --holder 9 "$@"
# Write the events accepted since the last run to the log, before anything is built from it.
python -m feature_repo.live --once
# The replay clock starts at the end of the log and of what was served since, so import the log first.
dvc repro validate_log
python -m feature_repo.replay_start
python -m feature_repo.materialize --check
dvc repro
