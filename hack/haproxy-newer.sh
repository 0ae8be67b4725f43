#!/usr/bin/env bash
# haproxy-newer.sh VERSION SUITE unpacks a newer HAProxy of Debian's, with the
# libraries that it needs, into build/haproxy-VERSION, beside the system's own,
# and writes a wrapper that runs it through its own loader. Nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
want=$1
suite=$2
out=$PWD/build/haproxy-$want
# The first line of what a binary says of itself. (Not by "head": what is still
# written then would end in an error.)
version() { local all; all=$("$1" -v) && echo "${all%%$'\n'*}"; }
if [ -x "$out/haproxy" ] && [[ $(version "$out/haproxy") == *"version $want"* ]]; then exit 0; fi

rm -rf "$out" && mkdir -p "$out/apt/lists/partial" "$out/apt/cache/archives/partial" "$out/root"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | grep '/debian/$' | sort -u | sed -n 1p)
if [ -z "$mirror" ]; then echo "no Debian mirror is configured; run apt-get update first" >&2; exit 1; fi
for from in $(printf '%s\n' sid "$suite" | sort -u); do
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $from main"
done >"$out/apt/sources.list"
: >"$out/apt/status"
apt=(apt-get -q -t "$suite" -o Dir::Etc::sourcelist="$out/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o Dir::State::lists="$out/apt/lists" -o Dir::State::status="$out/apt/status" -o Dir::Cache="$out/apt/cache"
  -o APT::Get::List-Cleanup=0 -o APT::Sandbox::User=root -o APT::Install-Recommends=0)
"${apt[@]}" update

# The empty status file makes apt name every library, the C library too.
packages=$("${apt[@]}" install --print-uris -y haproxy | grep -o '[^/ ]*\.deb ' | sed 's/_.*//' |
  grep -E '^(haproxy|lib.*|zlib1g|openssl-provider-legacy)$')
(cd "$out/apt/cache/archives" && "${apt[@]}" download $packages)
for deb in "$out"/apt/cache/archives/*.deb; do dpkg-deb -x "$deb" "$out/root"; done

loader=$(find "$out/root" -name 'ld-linux-*.so.*' | sed -n 1p)
libraries=$(find "$out/root" -name '*.so*' -printf '%h\n' | sort -u | tr '\n' ':')
# HAProxy starts itself again at a reload, by the name it was called by: that
# has to be this wrapper, not the loader.
cat >"$out/haproxy" <<EOF
#!/bin/sh
exec '$loader' --argv0 "\$0" --library-path '${libraries%:}' '$out/root/usr/sbin/haproxy' "\$@"
EOF
chmod +x "$out/haproxy"
rm -rf "$out/apt"
version "$out/haproxy"
[[ $(version "$out/haproxy") == *"version $want"* ]] || { echo "the HAProxy of Debian's $suite is not version $want any more" >&2; exit 1; }
