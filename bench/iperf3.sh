#!/usr/bin/env bash
# Prints the rate in MiB/s that iperf3 reaches over loopback with one stream, for tcp_throughput's --against.
set -euo pipefail
if ! command -v iperf3 >/dev/null || ! command -v python3 >/dev/null; then
  echo "iperf3 and python3 are needed: apt-get install iperf3 python3" >&2
  exit 2
fi
port=${1:-5201}
log=$(mktemp)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -f "$log"' EXIT
iperf3 -s -1 -B 127.0.0.1 -p "$port" >/dev/null &
server=$!
sleep 0.2
iperf3 -c 127.0.0.1 -p "$port" -t 1 -J >"$log"
wait "$server" || true
server=
python3 -c 'import json, sys; print(round(json.load(open(sys.argv[1]))["end"]["sum_received"]["bits_per_second"] / 8 / 2**20))' "$log"
