#!/usr/bin/env bash
# Serves the examples on loopback, on ports above 1024, with sample pods behind
# them. Ctrl-C ends everything that this started.
#
# HTTP_PORT, HTTPS_PORT and STATS_PORT choose the ports. Without them they are
# 8080, 8443 and 1936, or the next free ones, so that it can run more than once.
# BIN is the directory of the programs, "bin" without it.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${BIN:-bin}
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

# HAProxies of one user can share a port without noticing. So one run looks for
# free ports at a time, and the next one waits until they are in use.
exec 9>>"/tmp/router-run.$UID.lock"
flock -w 60 9 || { echo "another run has been starting for a minute" >&2; exit 1; }

taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port VARIABLE DEFAULT: the port that the variable says, or the first free one
# from the default on.
port() {
  local wanted=${!1:-} p
  if [ -n "$wanted" ]; then
    if taken "$wanted"; then echo "port $wanted ($1) is taken" >&2; return 1; fi
    echo "$wanted"
    return
  fi
  for ((p = $2; p < $2 + 100; p++)); do
    if ! taken "$p"; then echo "$p"; return; fi
  done
  echo "no port from $2 to $((p - 1)) is free; $1 names another" >&2
  return 1
}
http=$(port HTTP_PORT 8080)
https=$(port HTTPS_PORT 8443)
stats=$(port STATS_PORT 1936)

# The pods say which manifests have their ports: the examples, or a copy.
"$bin/sample-pods" -manifests examples -copy "$dir/examples" >"$dir/pods.log" 2>&1 9>&- &
children+=($!)
manifests=
for _ in $(seq 300); do
  if manifests=$(sed -n 's/^manifests //p' "$dir/pods.log") && [ -n "$manifests" ]; then break; fi
  if ! kill -0 "${children[0]}" 2>/dev/null; then cat "$dir/pods.log" >&2; exit 1; fi
  sleep 0.1
done
if [ -z "$manifests" ]; then echo "the sample pods are not there after 30 s" >&2; exit 1; fi

password=$(head -c 9 /dev/urandom | base64 | tr '+/' 'xy')
STATS_PASSWORD=$password "$bin/router" --manifests "$manifests" --enable-ingress --working-dir "$dir/haproxy" \
  --http-port "$http" --https-port "$https" --bind-address 127.0.0.1 --listen-addr "127.0.0.1:$stats" \
  --max-shutdown-timeout 1 --max-connections 1000 --verbosity warn 9>&- &
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
exec 9>&-

cat <<EOF

The examples are served. Try, in another terminal:

  plain HTTP   curl -s http://127.0.0.1:$http/ -H 'Host: hello.example.test'
  edge         curl -sk https://shop.example.test:$https/ --resolve shop.example.test:$https:127.0.0.1
  passthrough  curl -sk https://bank.example.test:$https/ --resolve bank.example.test:$https:127.0.0.1
  re-encrypt   curl -sk https://vault.example.test:$https/ --resolve vault.example.test:$https:127.0.0.1
  ingress      curl -sk https://blog.example.test:$https/next --resolve blog.example.test:$https:127.0.0.1

Statistics     http://127.0.0.1:$stats/            user admin, password $password
Routes         curl -s -u admin:$password http://127.0.0.1:$stats/api/routes

Edit a file in $manifests and ask again. Ctrl-C ends everything.
EOF
wait "$router"
