#!/usr/bin/env bash
# Tries experiments/slurm.sbatch on a real Slurm: starts a cluster of this one machine in a
# temporary folder (own key, own ports, own configuration; a Slurm that is already here is not
# touched), submits a small sweep as a job array, checks that every run is finished, and stops
# everything it started. Run it with --help for more.
set -euo pipefail

# Debian keeps the daemons in /usr/sbin, which is not on everybody's PATH.
PATH="$PATH:/usr/sbin:/sbin"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf 'slurm test: %s\n' "$*"; }
die() { printf 'slurm test: %s\n' "$*" >&2; exit 1; }

usage() {
  cat <<'TEXT'
Usage: tests/slurm/run.sh [GRID.toml]

Runs the sweep GRID.toml (default tests/slurm/tiny.toml) through experiments/slurm.sbatch.
Needs Slurm and MUNGE; where they are missing and the user is root, installs the Debian
packages slurm-wlm and munge with apt-get. Needs no systemd and no cgroups.

  EXGNET     the executable; default target/release/exgnet.
  TIMEOUT    seconds that the sweep may take; default 900
  KEEP=1     keep the temporary folder with logs and runs
TEXT
}

case "${1:-}" in -h | --help) usage; exit 0 ;; esac
grid=$(realpath -e "${1:-$root/tests/slurm/tiny.toml}") || die 'no such grid'
limit="${TIMEOUT:-900}"
exgnet="${EXGNET:-$root/target/release/exgnet}"
exgnet=$(realpath -e "$exgnet") || die "no executable $exgnet: cargo build --release, or set EXGNET"

# --- Slurm is there --------------------------------------------------------------------

have_all() {
  local tool
  for tool in munged munge slurmctld slurmd sbatch scontrol squeue; do
    command -v "$tool" >/dev/null || return 1
  done
}

if ! have_all; then
  [ "$(id -u)" = 0 ] || die 'Slurm or MUNGE is missing; as root: apt-get install slurm-wlm munge'
  command -v apt-get >/dev/null || die 'Slurm or MUNGE is missing, and there is no apt-get to install them'
  say 'installing slurm-wlm and munge'
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
  have_all || die 'the packages slurm-wlm and munge do not bring all programs'
fi

# --- A cluster in a temporary folder ---------------------------------------------------

# munged and slurmctld refuse folders that others may write to.
umask 022
dir=$(mktemp -d)
chmod 755 "$dir"
pids=()
submission=''

# stop PID: ends one daemon, with force after 10 s.
stop() {
  local i
  kill "$1" 2>/dev/null || return 0
  for ((i = 0; i < 100; i++)); do
    kill -0 "$1" 2>/dev/null || break
    sleep 0.1
  done
  kill -9 "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# shellcheck disable=SC2317 # the trap calls it
finish() {
  local code=$? i
  trap - EXIT
  set +e
  if [ "$code" != 0 ]; then
    for log in "$dir"/logs/*; do
      [ -e "$log" ] && { echo "--- $(basename "$log"), last lines"; tail -n 20 "$log"; } >&2
    done
  fi
  [ -z "$submission" ] || { kill "$submission"; wait "$submission"; } 2>/dev/null
  # a step outlives slurmd, so jobs end first
  if [ "${#pids[@]}" -ge 3 ] && [ -n "$(squeue -h 2>/dev/null)" ]; then
    scancel --full --user="$(id -un)" 2>/dev/null
    for ((i = 0; i < 100; i++)); do
      [ -z "$(squeue -h 2>/dev/null)" ] && break
      sleep 0.1
    done
  fi
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do stop "${pids[i]}"; done
  if [ "${KEEP:-}" = 1 ]; then say "kept $dir"; else rm -rf "$dir"; fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Prints a port of 127.0.0.1 on which nothing listens and that was not printed before.
used=' '
free_port() {
  local i
  for ((i = 0; i < 100; i++)); do
    port=$((20000 + RANDOM % 10000))
    case "$used" in *" $port "*) continue ;; esac
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      used="$used$port "
      return 0
    fi
  done
  die 'no free port'
}

# await SECONDS WHAT COMMAND...: until the command succeeds.
await() {
  local what="$2" end=$((SECONDS + $1))
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || die "$what did not happen in time"
    sleep 0.2
  done
}

mkdir "$dir"/{logs,state,spool,munge,runs}
free_port; ctld_port=$port
free_port; slurmd_port=$port
node=$(hostname -s)
user=$(id -un)
memory=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024))
# No cgroups, no accounting, no systemd: what a container can give.
cat >"$dir/slurm.conf" <<CONF
ClusterName=exgnet
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$ctld_port
SlurmdPort=$slurmd_port
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory State=UNKNOWN
PartitionName=test Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF="$dir/slurm.conf"

# daemon NAME COMMAND...: starts it in the background with a log of its own.
daemon() {
  local name="$1"
  shift
  "$@" >"$dir/logs/$name.log" 2>&1 &
  pids+=("$!")
}

(umask 077; head -c 128 /dev/urandom >"$dir/munge/key")
daemon munged munged --foreground --key-file="$dir/munge/key" --socket="$dir/munge/socket" \
  --pid-file="$dir/munge/pid" --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"
await 10 'munged' munge --no-input --socket="$dir/munge/socket"
daemon slurmctld slurmctld -D
await 20 'slurmctld' scontrol ping
daemon slurmd slurmd -D -N "$node"
idle() { [ "$(sinfo -h -o %T)" = idle ]; }
await 30 'an idle node' idle
say "$(sinfo --version): node $(sinfo -h -o '%N, %c CPUs, %m MB, %T')"

# --- The sweep -------------------------------------------------------------------------

"$exgnet" sweep "$grid" --list >"$dir/list" || die "$exgnet sweep --list failed"
tasks=$(wc -l <"$dir/list")
[ "$tasks" -ge 2 ] || die "the grid has $tasks tasks, expected at least 2"
say "$tasks tasks:"
sed 's/^/  /' "$dir/list"

# submit RANGE LOG: runs these tasks of the sweep and waits; fails where one of them fails.
submit() {
  local code=0
  # in the background, because the traps for signals only run while the shell itself waits
  (cd "$root" && GRID="$grid" OUT="$dir/runs" EXGNET="$exgnet" exec timeout "$limit" sbatch --wait \
    --array="$1" --cpus-per-task=1 --mem=1G --time=60 --output="$dir/logs/$2-%a.log" experiments/slurm.sbatch) &
  submission="$!"
  wait "$submission" || code=$?
  submission=''
  return "$code"
}

# finished: how many runs have their metrics.
finished() { find "$dir/runs" -name metrics.json | wc -l; }

last=$((tasks - 1))
submit "0-$last" sweep || { squeue; die 'a task of the sweep failed, or the sweep took too long'; }
for ((i = 0; i < tasks; i++)); do
  [ -s "$dir/logs/sweep-$i.log" ] || die "task $i left no log"
  sed "s/^/  task $i: /" "$dir/logs/sweep-$i.log"
done
[ "$(finished)" = "$tasks" ] || die "$(finished) runs have a metrics.json, expected $tasks"
say "all $tasks runs have a metrics.json"

before=$(find "$dir/runs" -name metrics.json -exec cksum {} + | sort)
submit "0-$last" again || die 'submitting a finished sweep again failed'
[ "$(find "$dir/runs" -name metrics.json -exec cksum {} + | sort)" = "$before" ] || die 'a finished run was run again'
say 'submitted again: every task ended at once'

if submit "$tasks" beyond; then die "task $tasks of $tasks did not fail"; fi
[ "$(finished)" = "$tasks" ] || die 'the task beyond the last left a run'
say 'a task that does not exist fails'
say 'passed'
