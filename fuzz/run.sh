#!/usr/bin/env bash
# Fuzzes every parser, the evaluator and the prover: fuzz/run.sh [SECONDS_PER_TARGET], 15 by default, little more than
# two minutes in all. An hour: fuzz/run.sh 510.
# Runs on stable, without a sanitizer: what is looked for are panics, endless loops and memory without end.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-15}
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz

for target in records envelopes gzip perimeter_toml policies decisions bundles; do
    corpus=fuzz/corpus/$target
    mkdir -p "$corpus"
    case $target in
        perimeter_toml) cp perimeter.toml src/perimeter/example.toml "$corpus/" ;;
        gzip) cp events/*.gz events/cloudwatch-logs-subscription.json "$corpus/" ;;
        policies | decisions | bundles) fuzz/seeds.py "$target" "$corpus" ;;
        *) cp events/*.json events/*.ndjson "$corpus/" ;;
    esac
    cargo fuzz run -s none "$target" -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 2>&1 | tail -n 4
done
