#!/usr/bin/env bash
# What the README's two commands take on this machine from a fresh clone with empty caches: writes results/first-run.json.
# About 20 minutes on two cores; nothing else should run meanwhile.
set -euo pipefail
root=$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export CARGO_HOME="$scratch/cargo" XDG_CACHE_HOME="$scratch/cache"
git clone --quiet "$root" "$scratch/exgnet"
cd "$scratch/exgnet"

# CPU seconds of all that was waited for
cpu_seconds() { awk '{ print int(($16 + $17) / 100) }' "/proc/$$/stat"; }

# seconds NAME COMMAND...: runs it and keeps its wall time and its CPU time
declare -A took cpu
seconds() {
  local name=$1 start=$SECONDS before
  before=$(cpu_seconds)
  shift
  "$@"
  took[$name]=$((SECONDS - start))
  cpu[$name]=$(($(cpu_seconds) - before))
}

./setup.sh
seconds download cargo fetch --quiet
mb=$(du --summarize --block-size=1M "$CARGO_HOME/registry/cache" | cut -f1)
seconds build cargo build --release --quiet
seconds train cargo run --release --quiet -- train --quiet
seconds compile cargo test --release --quiet --no-run
seconds tests cargo test --release --quiet

# NAME: a number of the quick start's run.json
of_run() { sed -n "s/^ *\"$1\": \([0-9.]*\),\{0,1\}$/\1/p" results/quickstart/run.json | head -n 1; }

cat > "$root/results/first-run.json" <<END
{
  "commit": "$(git rev-parse HEAD)",
  "cpu": $(grep '"cpu"' results/quickstart/run.json | cut -d: -f2 | sed 's/^ *//; s/,$//'),
  "download_mb": $mb,
  "download_seconds": ${took[download]},
  "build_seconds": ${took[build]},
  "build_cpu_seconds": ${cpu[build]},
  "train_seconds": ${took[train]},
  "train_phases": {
    "data": $(of_run data),
    "training": $(of_run training),
    "test": $(of_run test),
    "figures": $(of_run figures)
  },
  "tests_compiled_seconds": ${took[compile]},
  "tests_compiled_cpu_seconds": ${cpu[compile]},
  "tests_seconds": $((took[compile] + took[tests])),
  "tests_cpu_seconds": $((cpu[compile] + cpu[tests]))
}
END
cat "$root/results/first-run.json"
