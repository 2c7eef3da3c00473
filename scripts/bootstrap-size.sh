#!/usr/bin/env bash
# What is promised of `bootstrap` as it is deployed: under 20 MB stripped, and under 50 ms from the start of the
# process to its first poll. Builds with the profile `lambda`, which takes long, and fails where a promise is broken.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --profile lambda --bin bootstrap
bootstrap="${CARGO_TARGET_DIR:-target}/lambda/bootstrap"

size=$(stat -c %s "$bootstrap")
echo "bootstrap: $size bytes stripped, $(gzip -9 -c "$bootstrap" | wc -c) packed"

# The same stand-in as in tests/it/lambda.rs, in a few lines: it answers nothing and notes when it is asked.
python3 - "$bootstrap" <<'PYTHON'
import os, socket, statistics, subprocess, sys, time

listener = socket.create_server(("127.0.0.1", 0))
address = "127.0.0.1:%d" % listener.getsockname()[1]
env = {
    "AWS_LAMBDA_RUNTIME_API": address, "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_REGION": "eu-west-1", "_HANDLER": "auditor",
    "PERIMETER_CONFIG": os.path.abspath("perimeter.toml"), "PERIMETER_STORE": "dynamodb://perimeter-findings",
}
times = []
for _ in range(21):
    started = time.perf_counter()
    process = subprocess.Popen([sys.argv[1]], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    connection, _ = listener.accept()
    asked = connection.recv(4096)
    times.append((time.perf_counter() - started) * 1000)
    process.kill()
    process.wait()
    connection.close()
    assert b"/invocation/next" in asked, asked
median = statistics.median(times)
print("from start to first poll: median %.1f ms, longest %.1f ms of %d" % (median, max(times), len(times)))
sys.exit(0 if median < 50 else "more than 50 ms")
PYTHON

[ "$size" -lt 20000000 ] || { echo "more than 20 MB" >&2; exit 1; }
