#!/usr/bin/env bash
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
#
# Records tests/data/smaps anew: starts each program below, waits until it has
# done its work and idles, copies its /proc/PID/smaps, and ends it. Writes
# smaps/README.md as well, which says what was recorded.
#
# Needs root, because it reads processes of other users, and these packages of
# Debian 12:
#   bash chromium openjdk-17-jdk-headless postgresql-15 procps python3
#   redis-server redis-tools util-linux
#
# Nothing is left running: every program gets a session of its own, and its
# processes are ended by their number.

set -euo pipefail
export LC_ALL=C

out=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/smaps
scratch=$(mktemp -d /tmp/record.XXXXXX)
readonly out scratch
readonly pgbin=/usr/lib/postgresql/15/bin

leader=0  # The process, and session, of the program that runs at the moment.
table=""  # The lines of README.md's table so far.

end_program() {
  local pid
  if ((leader != 0)); then
    for pid in $(pgrep --session "${leader}" || true); do
      kill -KILL "${pid}" 2>/dev/null || true
    done
    wait "${leader}" 2>/dev/null || true
    leader=0
  fi
}

finish() {
  end_program
  rm -rf -- "${scratch}"
}
trap finish EXIT

# start COMMAND... - runs it in a session of its own.
start() {
  setsid "$@" </dev/null >"${scratch}/output" 2>&1 &
  leader=$!
}

# wait_for COMMAND... - until it succeeds, a minute at most.
wait_for() {
  local try
  for try in {1..300}; do
    if "$@" >/dev/null 2>&1; then
      sleep 1 # for what goes on in the background
      return
    fi
    sleep 0.2
  done
  echo "record_smaps: gave up after try ${try} of: $*" >&2
  cat "${scratch}/output" >&2
  exit 1
}

# record NAME PID PACKAGE DESCRIPTION - keeps everything but the names of this
# machine's own folders and of the user.
record() {
  local name=$1 pid=$2 package=$3 description=$4
  cat "/proc/${pid}/smaps" >"${scratch}/smaps"
  sed -e "s#${scratch}#/tmp/record#" \
    -e 's#hsperfdata_[a-z]*/[0-9]*#hsperfdata_user/1#' \
    -e "s#\( \)${HOME}/#\1/home/user/#" \
    "${scratch}/smaps" >"${out}/${name}.smaps"
  local version vmas
  version=$(dpkg-query --show --showformat='${Version}' "${package}")
  vmas=$(grep -c '^Size:' "${out}/${name}.smaps")
  table+="| \`${name}.smaps\` | ${package} ${version} | ${vmas} |"
  table+=" ${description} |"$'\n'
}

record_bash() {
  # shellcheck disable=SC2016 # it is the recorded shell that expands these
  start /bin/bash --norc -c '
    declare -A squares
    for ((i = 0; i < 20000; i++)); do squares[$i]=$((i * i)); done
    touch "$1/ready"
    while :; do read -t 60 _ <> <(:); done' bash "${scratch}"
  wait_for test -e "${scratch}/ready"
  record bash "${leader}" bash \
    "a shell with an associative array of 20000 elements, waiting in \`read\`"
  end_program
}

record_python3() {
  start /usr/bin/python3 -c '
import ctypes, mmap, os, sys, time
words = {i: str(i) * 3 for i in range(200000)}
huge = mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
huge.madvise(mmap.MADV_HUGEPAGE)
huge.write(b"h" * len(huge))
locked = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
address = ctypes.addressof(ctypes.c_char.from_buffer(locked))
assert ctypes.CDLL(None).mlock(ctypes.c_void_p(address), 1 << 20) == 0
with open("/usr/bin/python3.11", "rb") as file:
    shared = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
total = sum(shared[::4096])
if os.fork() == 0:  # shares what the parent does not touch again
    time.sleep(600)
    sys.exit()
open(sys.argv[1] + "/python_ready", "w").close()
time.sleep(600)' "${scratch}"
  wait_for test -e "${scratch}/python_ready"
  record python3 "${leader}" python3.11-minimal \
    "an interpreter with a dictionary of 200000 strings, 16 MiB advised to \
use huge pages, 1 MiB of locked memory, a file mapped shared from a read-only \
descriptor, and a forked child"
  end_program
}

record_jvm() {
  cat >"${scratch}/Work.java" <<'JAVA'
import java.util.*;
public class Work {
  public static void main(String[] args) throws Exception {
    List<byte[]> kept = new ArrayList<>();
    for (int i = 0; i < 48; i++) kept.add(new byte[1 << 20]);
    new java.io.File(args[0] + "/java_ready").createNewFile();
    Thread.sleep(600000);
    System.out.println(kept.size());
  }
}
JAVA
  /usr/lib/jvm/java-17-openjdk-amd64/bin/javac -d "${scratch}" \
    "${scratch}/Work.java"
  start /usr/lib/jvm/java-17-openjdk-amd64/bin/java -Xmx256m \
    -cp "${scratch}" Work "${scratch}"
  wait_for test -e "${scratch}/java_ready"
  record jvm "${leader}" openjdk-17-jre-headless \
    "\`java -Xmx256m\` with 48 arrays of 1 MiB alive"
  end_program
}

record_redis() {
  local socket=${scratch}/redis.sock
  start /usr/bin/redis-server --port 0 --unixsocket "${socket}" --save "" \
    --enable-debug-command local \
    --dir "${scratch}"
  wait_for redis-cli -s "${socket}" ping
  redis-cli -s "${socket}" debug populate 100000 key 200 >/dev/null
  record redis "${leader}" redis-server \
    "\`redis-server\` without persistence, 100000 keys of 200 bytes"
  end_program
}

record_postgres() {
  local data=${scratch}/postgres
  mkdir "${data}"
  chmod 755 "${scratch}"
  chown postgres "${data}"
  local as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  "${as_postgres[@]}" "${pgbin}/initdb" -D "${data}/db" &>"${scratch}/initdb"
  start "${as_postgres[@]}" "${pgbin}/postgres" -D "${data}/db" -k "${data}" \
    -c listen_addresses= -c shared_buffers=32MB
  wait_for "${pgbin}/pg_isready" -h "${data}" -U postgres
  "${as_postgres[@]}" "${pgbin}/psql" -h "${data}" -d postgres -qAt \
    -c "CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1,
        200000) AS i" \
    -c "SELECT count(DISTINCT md5) FROM t" \
    -c "COPY (SELECT pg_backend_pid()) TO '${data}/pid'" \
    -c "SELECT pg_sleep(600)" >"${scratch}/psql" 2>&1 &
  local client=$!
  wait_for test -s "${data}/pid"
  record postgres "$(cat "${data}/pid")" postgresql-15 \
    "a backend that has created a table of 200000 rows and sorted it, \
\`shared_buffers=32MB\`"
  # Its processes have sessions of their own: let it end them.
  "${as_postgres[@]}" "${pgbin}/pg_ctl" -D "${data}/db" -m fast stop >/dev/null
  wait "${client}" 2>/dev/null || true
  end_program
}

# Prints the process of the one page that is open.
renderer() {
  pgrep --session "${leader}" --full -- '--type=renderer' | head -n 1 |
    grep .
}

record_chromium() {
  local page='data:text/html,<h1>reap</h1><script>
    let kept = [];
    for (let i = 0; i < 200000; i++) kept.push({number: i, text: "t" %2B i});
    document.title = "done";</script>'
  start /usr/bin/chromium --headless --no-sandbox --disable-gpu \
    --no-first-run --disable-extensions --remote-debugging-port=0 \
    --user-data-dir="${scratch}/chromium" "${page}"
  wait_for renderer
  sleep 5 # it has no file or socket to say that the page is done
  record chromium_renderer "$(renderer)" chromium \
    "the renderer of headless Chromium (\`--type=renderer\`) that shows a \
page whose script keeps 200000 objects"
  end_program
}

write_readme() {
  cat >"${out}/README.md" <<README
# Recorded smaps

\`/proc/PID/smaps\` of real programs, for tests of the importer and as examples
for \`reapsim reap --smaps=FILE\`. Recorded on Linux $(uname -r | grep -o \
    '^[0-9.]*'), x86-64, with
\`tests/data/record_smaps.sh\`, which starts each program and says how; nothing
was cut. Changed were only names: the scratch folder of the script is
\`/tmp/record\`, the user's home \`/home/user\`, and the JVM's own file
\`hsperfdata_user/1\`.

| file | package and version | mappings | what the program was doing |
|---|---|---|---|
${table}
Mappings include \`[vsyscall]\`, which belongs to the kernel: the importer lists
it as a gate.
README
}

mkdir -p "${out}"
record_bash
record_chromium
record_jvm
record_postgres
record_python3
record_redis
write_readme
