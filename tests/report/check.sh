#!/usr/bin/env bash
# Opens a report in headless Chromium (Debian: apt-get install chromium), filters it by its address, and looks at what came
# of it: tests/report/check.sh report.html [folder for screenshots]
# The report is to hold a class that begins with AF and strips of it.
set -euo pipefail
page=$(realpath "${1:?a report}")
shots=${2:-$(mktemp -d)}
mkdir -p "$shots"
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
  { echo "no Chromium found; HINT: apt-get install chromium" >&2; exit 1; }
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT

chrome() { # options and address; no network, so that whatever is fetched would fail
  "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$profile" --disable-sync \
    --host-resolver-rules="MAP * ~NOTFOUND" --enable-logging=stderr --v=0 --virtual-time-budget=10000 "$@" 2> "$profile/log"
  # what the page's script or policy complained of
  if grep -E 'CONSOLE' "$profile/log" >&2; then echo "failed: the page complained" >&2; exit 1; fi
}
dump() { chrome --dump-dom "file://$page$1" > "$profile/dom"; }
cards() { grep -o '<article class="card"[^>]*>' "$profile/dom" || true; }
values() { cards | sed -n "s/.* data-$1=\"\([^\"]*\)\".*/\1/p"; }
fail() { echo "failed: $*" >&2; exit 1; }

dump ''
(($(cards | wc -l) > 0)) || fail 'no card'
[[ $(grep -c 'id="cards"' "$profile/dom") == 1 ]] || fail 'no list of cards'
grep -q 'class="trace" stroke="#' "$profile/dom" || fail 'no coloured trace'

dump '#true=AF&sort=ncc&together=0&per=48'
[[ -n $(values true) && -z $(values true | grep -v '^AF') ]] || fail 'other classes than AF: ' "$(values true | sort | uniq -c)"
ncc=$(values ncc | grep . || true)
[[ $ncc == "$(sort -gr <<< "$ncc")" ]] || fail "NCC is not sorted: $ncc"

dump '#sort=confidence-low&together=0&per=48'
confidence=$(values confidence)
[[ $confidence == "$(sort -g <<< "$confidence")" ]] || fail "confidence is not sorted: $confidence"

dump '#result=wrong&together=0&per=48'
paste <(values true) <(values predicted) | awk -F'\t' '$1 == $2 { exit 1 }' || fail 'a right one among the wrong'
wrong=$(grep -o 'c-state[^<]*>[0-9]*' "$profile/dom" | grep -o '[0-9]*$')
dump '#result=right&together=0&per=48'
right=$(grep -o 'c-state[^<]*>[0-9]*' "$profile/dom" | grep -o '[0-9]*$')
dump '#together=0&per=48'
all=$(grep -o 'c-state[^<]*>[0-9]*' "$profile/dom" | grep -o '[0-9]*$')
((wrong + right == all)) || fail "$right right and $wrong wrong ones of $all"

dump '#record=no+such+record'
grep -q 'No strip is like this' "$profile/dom" || fail 'an empty choice is not told'
# what is no filter's value is no filter
dump '#true=%3Cscript%3E&sort=odd&per=-1&page=999999999999'
(($(cards | wc -l) > 0)) || fail 'odd filters show nothing'

for size in 1280,1600 390,1600; do
  chrome --window-size=$size --screenshot="$shots/report-${size%,*}.png" "file://$page"
done
echo "all is well ($all maps, $right right, $wrong wrong); screenshots in $shots"
