# Sourced by run.sh and serve.sh: Redis, the consumer of accepted events and the scorer. The end of the script stops
# what it started: the scorer, then the consumer, which writes the last events to the log, then Redis, unless another
# script uses it or it ran before the scripts.
scorer=
consumer=
stop() {
    trap '' INT TERM
    for process in $scorer $consumer; do
        kill "$process" 2>/dev/null && wait "$process" || true
    done
    python -m infra.redis_server stop --holder 9
}
lock=$(python -m infra.redis_server lock-file)
exec 9>>"$lock" # open in all that this script starts, and locked by the first of it
trap stop EXIT
python -m infra.redis_server start --holder 9

serve() {
    trap 'exit 0' INT # Ctrl-C is the way to stop it
    trap 'exit 143' TERM
    python -m feature_repo.live &
    consumer=$!
    python -m serving "$@" &
    scorer=$!
    wait "$scorer"
}
