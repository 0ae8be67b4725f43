#!/usr/bin/env bash
# Serves the examples on ports above 1024, with sample pods behind them. Ctrl-C
# ends everything that this started.
set -euo pipefail
cd "$(dirname "$0")/.."

http=${HTTP_PORT:-8080} https=${HTTPS_PORT:-8443} stats=${STATS_PORT:-1936}
dir=$(mktemp -d /tmp/router.XXXXXX)
children=()
stop() {
  trap - EXIT INT TERM
  for pid in "${children[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${children[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

./bin/sample-pods >"$dir/pods.log" 2>&1 &
children+=($!)
password=$(head -c 9 /dev/urandom | base64 | tr '+/' 'xy')
STATS_PASSWORD=$password ./bin/router --manifests examples --enable-ingress --working-dir "$dir/haproxy" \
  --http-port "$http" --https-port "$https" --stats-port "$stats" --bind-address 127.0.0.1 \
  --graceful-shutdown-delay 0s --max-shutdown-timeout 1 --max-connections 1000 --verbosity warn &
router=$!
children+=("$router")

for _ in $(seq 300); do
  if curl -fs "http://127.0.0.1:$stats/healthz/ready" >/dev/null 2>&1; then ready=yes; break; fi
  for pid in "${children[@]}"; do
    if ! kill -0 "$pid" 2>/dev/null; then cat "$dir/pods.log" >&2; exit 1; fi
  done
  sleep 0.1
done
if [ "${ready:-}" != yes ]; then echo "the router is not ready after 30 s" >&2; exit 1; fi

cat <<EOF

The examples are served. Try, in another terminal:

  plain HTTP   curl -s http://127.0.0.1:$http/ -H 'Host: hello.example.test'
  edge         curl -sk https://shop.example.test:$https/ --resolve shop.example.test:$https:127.0.0.1
  passthrough  curl -sk https://bank.example.test:$https/ --resolve bank.example.test:$https:127.0.0.1
  re-encrypt   curl -sk https://vault.example.test:$https/ --resolve vault.example.test:$https:127.0.0.1
  ingress      curl -sk https://blog.example.test:$https/next --resolve blog.example.test:$https:127.0.0.1

Statistics     http://127.0.0.1:$stats/            user admin, password $password
Routes         curl -s -u admin:$password http://127.0.0.1:$stats/api/routes

Edit a file in examples and ask again. Ctrl-C ends everything.
EOF
wait "$router"
