#!/usr/bin/env bash
# Programs that tests drive from outside: a browser, PDF tools, a certificate store, a relay for calls. Installed where that is possible.
set -euo pipefail
missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v pdfsig >/dev/null || missing+=(poppler-utils)
command -v certutil >/dev/null || missing+=(libnss3-tools)
command -v turnserver >/dev/null || missing+=(coturn)
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "Tests that need ${missing[*]} will be skipped; install them with: sudo apt-get install ${missing[*]}" >&2
fi
