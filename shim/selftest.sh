#!/usr/bin/env bash
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
#
# Runs the kernel's own test of process_mrelease() under the shim, unmodified:
# fifty times, which must pass with one and the same output, and once in a model
# in which the call says EAGAIN, which must fail.
#
#   shim/selftest.sh PATH/tools/testing/selftests/mm/mrelease_test.c
#
# The file is not in this tree: it is the kernel's, and has the kernel's
# licence. It comes with a kernel's source, in Debian for example by
#
#   apt-get download linux-source-6.12
#   dpkg-deb --fsys-tarfile linux-source-6.12_*.deb |
#     tar -xO --wildcards '*/linux-source-6.12.tar.xz' |
#     tar -xJ linux-source-6.12/tools
#
# REAPSIM in the environment is the command to run in place of ./reapsim.
#
# Exit status: 0 if all is as it should be, 1 if not, 2 for bad usage.

set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly reapsim=${REAPSIM:-${root}/reapsim}
readonly runs=50

if (($# != 1)) || [[ ! -f $1 ]]; then
  printf 'usage: shim/selftest.sh PATH/TO/mrelease_test.c\n' >&2
  exit 2
fi
source_dir=$(cd -- "$(dirname -- "$1")" && pwd)
readonly source_dir

scratch=$(mktemp -d)
readonly scratch
trap 'rm -rf "${scratch}"' EXIT

# Builds the test as it is. The kernel's build has the headers of its own tree:
# those that the system's libc may be too old for are given here.
build() {
  local sources=("${source_dir}/$(basename -- "$1")")
  if [[ -f ${source_dir}/vm_util.c ]]; then
    sources+=("${source_dir}/vm_util.c")
  fi
  mkdir -p "${scratch}/include/linux"
  local header=${source_dir}/../../../include/uapi/linux/fs.h
  if [[ -f ${header} ]]; then
    cp "${header}" "${scratch}/include/linux/"
  fi
  "${CC:-cc}" -O2 -w -I"${scratch}/include" -include sys/syscall.h \
    -o "${scratch}/mrelease_test" "${sources[@]}"
}

# run_test FLAG... - the test's output and its exit status.
run_test() {
  "${reapsim}" shim "$@" -- "${scratch}/mrelease_test" 2>&1 \
    && printf 'exit 0\n' || printf 'exit %d\n' "$?"
}

build "$1"
failed=0

for ((i = 0; i < runs; i++)); do
  run_test >"${scratch}/run.${i}"
done
outputs=$(md5sum "${scratch}"/run.* | cut -d' ' -f1 | sort -u | wc -l)
cat "${scratch}/run.0"
if ((outputs != 1)) || ! grep -qx 'exit 0' "${scratch}/run.0"; then
  failed=1
fi
printf -- '-- %d runs, distinct outputs: %d\n\n' "${runs}" "${outputs}"

run_test --with=notifier-blocks | tee "${scratch}/refused"
if grep -qx 'exit 0' "${scratch}/refused"; then
  failed=1
fi
printf -- '-- in a model that answers EAGAIN\n\n'

if ((failed)); then
  printf 'not as it should be\n'
  exit 1
fi
printf 'as it should be: it passes, always in the same words, and fails where '
printf 'the model answers EAGAIN\n'
