#!/bin/bash
# enter.sh CGROUP... -- COMMAND... : joins the cgroups, then becomes the command.
# A process can only be put into a cgroup before the command runs; afterwards its children would escape.
set -eu
while [ "$1" != -- ]; do
  echo "$$" > "$1/cgroup.procs"
  shift
done
shift
exec "$@"
