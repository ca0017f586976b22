#!/bin/sh
# Collects what a restore runs inside containers whose images may hold nothing of the kind: make-bundle.sh DIRECTORY PROGRAM...
# Each program with every library it needs and one loader, to be run as `ld.so --library-path lib PROGRAM`.
set -eu
bundle=$1
shift
mkdir -p "$bundle/lib"
for program in "$@"; do
  cp -L "$program" "$bundle/"
  for library in $(ldd "$program" | grep -oE '/[^ ]+'); do cp -L "$library" "$bundle/lib/"; done
done
mv "$bundle"/lib/ld-linux-* "$bundle/ld.so"
