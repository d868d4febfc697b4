#!/bin/sh
# The tests of the pages drive a real Chromium: install Debian's where it is missing and apt may be used.
command -v chromium >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing Chromium for the tests of the pages (once)"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q && apt-get install -y -q --no-install-recommends chromium && exit 0
fi
echo "no Chromium here: the tests that need one will be skipped and say so"
exit 0
