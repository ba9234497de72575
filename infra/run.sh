#!/usr/bin/env bash
# Run the pipeline, then the scorer with the marketplace and the consumer of accepted events. Redis stops with them.
set -euo pipefail
source infra/service.sh
infra/pipeline.sh
serve --shop
