#!/bin/sh
# Installs CRIU, and packages of stable beside it, into a Debian stable image: install-criu.sh VERSION SUITE PACKAGES [APT OPTION...]
#
# CRIU and the libraries of its generation come from SUITE, everything else stays stable's: all of them run on stable's libc. Sources and CA
# bundle may come as build secrets (see the Dockerfile).
set -eu
version=$1 suite=$2 packages=$3
shift 3

sources=/etc/apt/sources.list.d
if [ -s /run/secrets/ca ]; then set -- "$@" -o Acquire::https::CAInfo=/run/secrets/ca; fi
if [ -s /run/secrets/apt ]; then
  sources=/tmp/sources
  mkdir "$sources"
  cp /run/secrets/apt "$sources/machine.list"
  set -- "$@" -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$sources"
fi
mirror=$(cat "$sources"/* /etc/apt/sources.list 2>/dev/null | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $mirror $suite main" >"$sources/criu.list"
cat >/etc/apt/preferences.d/criu <<EOF
Package: *
Pin: release n=$suite
Pin-Priority: -1

Package: criu libcompel1 libnet9 libnl-3-200
Pin: release n=$suite
Pin-Priority: 990
EOF

export DEBIAN_FRONTEND=noninteractive
apt-get "$@" update
apt-get "$@" install --yes --no-install-recommends "criu=$version" $packages
criu --version
rm -rf /tmp/sources /etc/apt/sources.list.d/criu.list /etc/apt/preferences.d/criu \
  /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
