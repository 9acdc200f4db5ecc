#!/usr/bin/env bash
# Runs `exgnet check`, in every version of the kernels, and a short training on every Vulkan driver of this machine, then
# both once more under the Khronos validation layer, and says what differs. --help says more.
set -uo pipefail
from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
PATH="$PATH:${HOME:-}/.cargo/bin"

# Where drivers have their ICD files; Debian's package chromium keeps SwiftShader's beside itself.
FOLDERS=(/etc/vulkan/icd.d /usr/share/vulkan/icd.d /usr/local/share/vulkan/icd.d /usr/lib/chromium /usr/lib/chromium-browser)
# Drivers that need no GPU: a part of their name, and the Debian package that has them.
KNOWN=('llvmpipe mesa-vulkan-drivers' 'SwiftShader chromium')
LAYERS=(/etc/vulkan/explicit_layer.d /usr/share/vulkan/explicit_layer.d /usr/local/share/vulkan/explicit_layer.d)
LAYER=VK_LAYER_KHRONOS_validation
LAYER_PACKAGE=vulkan-validationlayers
# `exgnet check` runs every version itself
VERSIONS=(default)
# How far two drivers' trainings may be apart: losses and probabilities after these few steps. Rounding alone gives some 1e-6.
TOLERANCE=1e-3
TRAINING=(--set data.synthetic.records=40 --set data.fs=100 --set data.seconds=4 --set 'network.widths=[6, 8]'
  --set 'network.strides=[1, 2]' --set network.stem_channels=6 --set train.epochs=3 --set train.batch=8
  --set train.validation=0.2 --set output.gradcam=0)
# Messages of the layer that are not ours, by their number, and why:
#   (none so far)
NOT_OURS=()

usage() {
  cat <<'END'
Usage: tests/drivers.sh [--install] [--exgnet PATH] [--out DIR]

  --install      install drivers and the validation layer that are missing, with apt-get
  --exgnet PATH  the program to run; without it `cargo build --release` makes it
  --out DIR      keep what the runs wrote in DIR

On every Vulkan driver it finds: `exgnet check` in each version of the kernels, and a short training; then both again
under the Khronos validation layer, where the training must give the same bytes. It prints the worst
errors of each, what differs between the trainings, and what the layer says.

Exit code: 0 when all passed, 1 when a check or a training failed, results differ or the layer complains, 2 for wrong
usage. Drivers and layers that are not there are named with their package; they are no failure.
END
}

install=false exgnet='' out=''
while [ $# -gt 0 ]; do
  case $1 in
    --install) install=true ;;
    --exgnet | --out)
      [ -n "${2:-}" ] || { usage >&2; exit 2; }
      # as seen from where it was called
      case $2 in /*) path=$2 ;; *) path=$from/$2 ;; esac
      if [ "$1" = --out ]; then out=$path; else exgnet=$path; fi
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

if [ -z "$out" ]; then
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
fi
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
if [ -z "$exgnet" ]; then
  cargo build --release --bin exgnet || exit 1
  exgnet=$(cargo metadata --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release/exgnet
fi
[ -x "$exgnet" ] || { echo "drivers: $exgnet cannot be run" >&2; exit 2; }

failures=()
fail() { failures+=("$*"); printf 'FAILED: %s\n' "$*"; }
say() { printf '\n==> %s\n' "$*"; }

# on ICD ARGUMENTS...: exgnet on one driver alone (the second name of the variable is for old loaders).
on() {
  local icd=$1
  shift
  env -u EXGNET_ADAPTER VK_DRIVER_FILES="$icd" VK_ICD_FILENAMES="$icd" MESA_VK_DEVICE_SELECT= "$exgnet" "$@"
}

# Name of the first adapter of a driver; nothing where it has none.
adapter() { on "$1" info 2>/dev/null | sed -n 's/^adapter 0: \(.*\) ([a-z]*, [a-z0-9]*).*/\1/p' | head -n 1; }

find_drivers() {
  icds=() names=()
  local folder icd name
  for folder in "${FOLDERS[@]}"; do
    for icd in "$folder"/*icd*.json; do
      [ -f "$icd" ] || continue
      name=$(adapter "$icd")
      if [ -n "$name" ]; then
        icds+=("$icd") names+=("$name")
      else
        without+=("$icd")
      fi
    done
  done
}

find_layer() {
  local folder
  for folder in "${LAYERS[@]}"; do
    [ -f "$folder/VkLayer_khronos_validation.json" ] && return 0
  done
  return 1
}

missing() {
  local known
  for known in "${KNOWN[@]}"; do
    printf '%s\n' "${names[@]:-}" | grep -q "${known%% *}" || echo "${known##* }"
  done
  find_layer || echo "$LAYER_PACKAGE"
}

say 'drivers'
without=()
find_drivers
packages=$(missing)
if [ -n "$packages" ] && $install; then
  # shellcheck disable=SC2086 # a list of packages
  apt-get update && apt-get install -y $packages || fail "apt-get could not install: $packages"
  without=()
  find_drivers
  packages=$(missing)
fi
for i in "${!icds[@]}"; do echo "${names[i]}  (${icds[i]})"; done
[ ${#without[@]} -eq 0 ] || echo "without a device here: $(basename -a "${without[@]}" | tr '\n' ' ')"
for package in $packages; do echo "missing: Debian package $package (--install installs it)"; done
[ ${#icds[@]} -gt 0 ] || { fail 'no Vulkan driver that answers'; exit 1; }

# check_on I VERSION FOLDER: one line of worst errors; the table is kept.
check_on() {
  local log=$3/check-$2.txt version=()
  [ "$2" = default ] || version=(--kernels "$2")
  if ! on "${icds[$1]}" check "${version[@]}" >"$log" 2>"$log.err"; then
    grep FAILED "$log"
    tail -n 5 "$log.err"
    fail "check, version $2, on ${names[$1]}"
  fi
  awk -v version="$2" '
    $NF == "ok" || $NF == "FAILED" {
      ops++; cases += $2
      for (i = 3; i <= 5; i++) if ($i != "-" && $i + 0 > worst[i]) { worst[i] = $i + 0; of[i] = $1 }
      if ($6 != "same") differ++
    }
    END {
      printf "%-8s %3d versions, %3d cases; worst error of values %.1e (%s), first %.1e (%s), second %.1e (%s); bits %s\n",
        version, ops, cases, worst[3], of[3], worst[4], of[4], worst[5], of[5], differ ? "DIFFER" : "the same twice"
    }' "$log"
}

# train_on I FOLDER: the training; its last losses and its metrics.
train_on() {
  local run=$2/run
  rm -rf "$run"
  if ! on "${icds[$1]}" --quiet train --out "$run" "${TRAINING[@]}" >"$2/train.txt" 2>"$2/train.err"; then
    tail -n 5 "$2/train.err"
    fail "training on ${names[$1]}"
    return
  fi
  tail -n 1 "$run/log.jsonl" | sed 's/.*"losses":{\([^}]*\)}.*/losses  \1/'
  grep -E '^(model|maps)' "$2/train.txt"
}

# numbers RUN: `name value` of each loss of each epoch, and each probability of each test record.
numbers() {
  grep -o '"epoch":[0-9]*\|"losses":{[^}]*}' "$1/log.jsonl" | tr -d '"{}' | sed 's/^losses://' | tr ',' '\n' |
    awk -F: '$1 == "epoch" { epoch = $2; next } { print "loss " $1 ", epoch " epoch "\t" $2 }'
  awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) name[i] = $i; next }
    { for (i = 1; i <= NF; i++) if (name[i] ~ /^p_/) print "probability " name[i] " of " $1 "\t" $i }' "$1/predictions.csv"
}

# differ A B: the largest differences between the numbers of two runs; fails beyond the tolerance.
differ() {
  paste <(numbers "$1") <(numbers "$2") | awk -F'\t' -v tolerance="$TOLERANCE" '
    NF != 4 || $1 != $3 { print "  not the same numbers: " $0; wrong = 1; exit }
    {
      split($1, word, " "); kind = word[1]; n++
      d = $2 - $4; if (d < 0) d = -d
      if (!(d <= tolerance)) wrong = 1
      if (!(kind in most) || !(d <= most[kind])) { most[kind] = d; at[kind] = $1; a[kind] = $2; b[kind] = $4 }
    }
    END {
      if (n == 0) { print "  found no numbers"; exit 1 }
      for (kind in most) printf "  most of all %s: %.1e (%s: %s and %s)\n", kind == "loss" ? "losses" : "probabilities", most[kind], at[kind], a[kind], b[kind]
      exit wrong
    }'
}

# errors_differ A B: operations whose worst errors in the checks of two drivers are apart by more than a factor of 2, one of
# them above rounding. Both passed; it is where to look first.
errors_differ() {
  local version
  for version in "${VERSIONS[@]}"; do
    paste "$1/check-$version.txt" "$2/check-$version.txt" | awk -v version="$version" '
      NF == 14 && $7 == "ok" && $14 == "ok" {
        for (i = 3; i <= 5; i++) {
          a = $i; b = $(i + 7)
          if (a == "-" || b == "-" || (a + 0 < 1e-6 && b + 0 < 1e-6)) continue
          if (a > 2 * b || b > 2 * a) { printf "  %-8s %-20s %s: %s and %s\n", version, $1, name[i], a, b; }
        }
      }
      BEGIN { name[3] = "values"; name[4] = "first derivatives"; name[5] = "second derivatives" }'
  done
}

folders=()
for i in "${!icds[@]}"; do
  folders+=("$out/$i")
  mkdir -p "$out/$i/layer"
  say "${names[i]}"
  for version in "${VERSIONS[@]}"; do check_on "$i" "$version" "$out/$i"; done
  train_on "$i" "$out/$i"
done

if find_layer; then
  for i in "${!icds[@]}"; do
    say "${names[i]}, under the validation layer"
    dir=$out/$i/layer
    # the layer's own words go to a file, every one of them
    cat >"$dir/vk_layer_settings.txt" <<END
khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
khronos_validation.report_flags = error,warn,perf
khronos_validation.log_filename = $dir/layer.log
khronos_validation.enable_message_limit = false
END
    : >"$dir/layer.log"
    export VK_LAYER_SETTINGS_PATH=$dir/vk_layer_settings.txt VK_INSTANCE_LAYERS=$LAYER
    # silence counts only where it is there
    VK_LOADER_DEBUG=layer on "${icds[i]}" info 2>&1 | grep -q "Insert.*$LAYER" || fail "$LAYER is not loaded on ${names[i]}"
    for version in "${VERSIONS[@]}"; do check_on "$i" "$version" "$dir"; done
    train_on "$i" "$dir"
    unset VK_LAYER_SETTINGS_PATH VK_INSTANCE_LAYERS
    # the same program on the same driver: the same bytes
    if [ -f "$out/$i/run/model.safetensors" ] && [ -f "$dir/run/model.safetensors" ]; then
      for file in model.safetensors predictions.csv; do
        cmp -s "$out/$i/run/$file" "$dir/run/$file" && echo "$file: the same bytes as before" ||
          fail "$file of two trainings on ${names[i]} differs"
      done
    fi
    kinds=$(grep -oE 'Validation [A-Za-z ]+: \[ [^]]+ \]' "$dir/layer.log" | sort | uniq -c)
    for known in ${NOT_OURS[@]+"${NOT_OURS[@]}"}; do kinds=$(printf '%s\n' "$kinds" | grep -v "$known"); done
    if [ -n "$kinds" ]; then
      printf '%s\n' "$kinds"
      head -n 4 "$dir/layer.log"
      fail "the validation layer complains on ${names[i]}"
    else
      echo 'the layer has nothing to say'
    fi
  done
fi

if [ ${#icds[@]} -gt 1 ]; then
  for i in "${!icds[@]}"; do
    [ "$i" -gt 0 ] || continue
    say "${names[0]} and ${names[i]}"
    echo 'worst errors of checks that are apart by more than a factor of 2:'
    apart=$(errors_differ "${folders[0]}" "${folders[i]}")
    echo "${apart:-  none}"
    echo 'the training:'
    if [ -d "${folders[0]}/run" ] && [ -d "${folders[i]}/run" ]; then
      differ "${folders[0]}/run" "${folders[i]}/run" || fail "trainings differ by more than $TOLERANCE: ${names[0]}, ${names[i]}"
    fi
  done
else
  say 'one driver only: nothing to compare'
fi

say "${#icds[@]} drivers, ${#failures[@]} failures"
[ ${#failures[@]} -eq 0 ] || { printf '%s\n' "${failures[@]}"; exit 1; }
