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
seconds tests cargo test --release --quiet

model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
avx512=$(grep -q avx512f /proc/cpuinfo && echo true || echo false)
cat > "$root/results/first-run.json" <<END
{
  "commit": "$(git rev-parse HEAD)",
  "cpu": "$model",
  "cores": $(nproc),
  "avx512": $avx512,
  "download_mb": $mb,
  "download_seconds": ${took[download]},
  "build_seconds": ${took[build]},
  "build_cpu_seconds": ${cpu[build]},
  "train_seconds": ${took[train]},
  "tests_seconds": ${took[tests]},
  "tests_cpu_seconds": ${cpu[tests]}
}
END
cat "$root/results/first-run.json"
