#!/usr/bin/env bash
# Opens a report in headless Chromium (Debian: apt-get install chromium) at two widths, filters it by its address, enlarges
# figures, steps through strips, and looks at what came of it: tests/report/check.sh report.html [folder for screenshots]
# The report is to hold a class that begins with AF, strips of it and of others, and two figures.
set -euo pipefail
page=$(realpath "${1:?a report}")
shots=${2:-$(mktemp -d)}
mkdir -p "$shots"
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
  { echo "no Chromium found; HINT: apt-get install chromium" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

chrome() { # options and address; no network, so that whatever is fetched would fail
  local profile
  profile=$(mktemp -d -p "$tmp")
  "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$profile" \
    --host-resolver-rules="MAP * ~NOTFOUND" --enable-logging=stderr --v=0 --virtual-time-budget=10000 "$@" 2> "$tmp/log"
  rm -rf "$profile"
  # what the page's script or policy complained of
  if grep -E 'CONSOLE' "$tmp/log" >&2; then echo "failed: the page complained" >&2; exit 1; fi
}
dump() { chrome --dump-dom "file://$page$1" > "$tmp/dom"; }
cards() { grep -o '<article class="card[^>]*>' "$tmp/dom" || true; }
values() { cards | sed -n "s/.* data-$1=\"\([^\"]*\)\".*/\1/p"; }
count() { grep -o 'c-state[^<]*>[^<]*' "$tmp/dom" | grep -o 'of [0-9]*,' | grep -o '[0-9]*'; }
fail() { echo "failed: $*" >&2; exit 1; }

# ---- filters in the address ----
dump ''
(($(cards | wc -l) > 0)) || fail 'no card'
[[ $(grep -c 'id="cards"' "$tmp/dom") == 1 ]] || fail 'no list of cards'
grep -q 'class="trace" stroke="#' "$tmp/dom" || fail 'no coloured trace'

dump '#true=AF&sort=ncc&together=0&per=48'
[[ -n $(values true) && -z $(values true | grep -v '^AF') ]] || fail 'other classes than AF: ' "$(values true | sort | uniq -c)"
ncc=$(values ncc | grep . || true)
[[ $ncc == "$(sort -gr <<< "$ncc")" ]] || fail "NCC is not sorted: $ncc"
record=$(values record | head -1)

dump '#sort=confidence-low&together=0&per=48'
confidence=$(values confidence)
[[ $confidence == "$(sort -g <<< "$confidence")" ]] || fail "confidence is not sorted: $confidence"

dump '#result=wrong&together=0&per=48'
paste <(values true) <(values predicted) | awk -F'\t' '$1 == $2 { exit 1 }' || fail 'a right one among the wrong'
wrong=$(count)
dump '#true=AFIB/AFL&result=wrong&together=0&per=48'
paste <(values true) <(values predicted) | awk -F'\t' '$1 !~ /^AF/ || $1 == $2 { exit 1 }' || fail 'not the wrong ones of AF'
dump '#result=right&together=0&per=48'
right=$(count)
dump '#together=0&per=48'
all=$(count)
((wrong > 0 && right > 0 && wrong + right == all)) || fail "$right right and $wrong wrong ones of $all"
sum=0
for fold in $(grep -o '<select id="c-fold">.*' "$tmp/dom" | sed 's/<\/select>.*//' | grep -o 'value="[0-9]*"' | grep -o '[0-9]*'); do
  dump "#fold=$fold&together=0&per=48"
  [[ -z $(values fold | grep -vx "$fold") ]] || fail "other folds than $fold"
  sum=$((sum + $(count)))
done
((sum == all)) || fail "$sum maps of the folds, $all in all"

dump "#record=$record&together=0&per=48"
[[ -n $(values record) && -z $(values record | grep -vF "$record") ]] || fail "other records than $record"
dump '#record=no+such+record'
grep -q 'No strip is like this' "$tmp/dom" || fail 'an empty choice shows no message'
# what is no filter's value is no filter
dump '#true=%3Cscript%3E&fold=x&map=%26&sort=odd&per=-1&at=999999999999'
(($(cards | wc -l) > 0)) || fail 'odd filters show nothing'

# ---- what keys and clicks do, and what fits: a copy of the page with a script that reports ----
cat > "$tmp/probe.js" <<'JS'
addEventListener("load", () => {
  const said = [], by = (id) => document.getElementById(id), key = (at, key) => at.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const check = (name, good) => said.push(`${good ? "good" : "BAD"}: ${name}`);
  const fits = (e) => e.scrollWidth <= e.clientWidth;
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  check("width " + innerWidth, innerWidth === WIDTH);
  check("the page does not scroll sideways", fits(document.documentElement) && fits(document.body));
  const tables = [...document.querySelectorAll(".wide")], wide = tables.filter((t) => !fits(t));
  check(`${tables.length} tables fit; not: ${wide.map((t) => `${t.scrollWidth} > ${t.clientWidth}`)}`, tables.length > 2 && !wide.length);

  const box = by("viewer"), drawings = [...document.querySelectorAll(".drawing")], n = drawings.length;
  const shows = (i) => box.open && by("v-state").textContent === `${i + 1} of ${n}` && location.hash === "#" + drawings[i].parentNode.id &&
    by("v-figure").querySelector("figcaption").textContent === drawings[i].parentNode.querySelector("figcaption").textContent;
  drawings[0].querySelector("svg").dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
  const size = (e) => e.getBoundingClientRect(), large = size(by("v-figure").querySelector("svg"));
  check("a click enlarges a figure", shows(0) && large.width >= size(drawings[0].querySelector("svg")).width);
  check("it is in the window", size(box).width === innerWidth && large.right <= innerWidth && large.bottom <= innerHeight);
  key(by("v-figure"), "ArrowRight");
  check("the right arrow shows the next figure", shows(1));
  key(by("v-figure"), "ArrowLeft");
  key(by("v-figure"), "ArrowLeft");
  check("the left arrow stops at the first", shows(0));
  key(by("v-figure"), "Escape");
  check("Escape closes it", !box.open);
  key(drawings[n - 1], "Enter");
  key(by("v-figure"), "ArrowRight");
  check("Enter enlarges the last, and the right arrow stops there", shows(n - 1));
  key(by("v-figure"), "Escape");

  location.hash = "#per=6&together=0";
  setTimeout(() => {
    by("strips").scrollIntoView({ behavior: "instant" });
    document.activeElement.blur();
    const at = () => Number(by("c-state").textContent.match(/[0-9]+/)[0]), all = Number(by("c-state").textContent.match(/of ([0-9]+)/)[1]);
    const now = () => document.activeElement, current = () => now().matches(".card.current") && document.querySelectorAll(".current").length === 1;
    key(document.body, "ArrowRight");
    check("an arrow goes to the current strip", current() && at() === 1);
    for (let i = 2; i <= 8; i++) { key(now(), "ArrowRight"); }
    check("the right arrow steps on, over pages", current() && at() === 8 && location.hash.includes("at=8"));
    check("the strip is in view", size(now()).top < innerHeight && size(now()).bottom > 0);
    for (let i = 0; i < 9; i++) { key(now(), "ArrowLeft"); }
    check("the left arrow steps back to the first", current() && at() === 1);
    const truth = now().dataset.true, classes = new Set([truth]);
    for (let i = 0; i < 20; i++) { key(now(), "ArrowDown"); classes.add(now().dataset.true); }
    check("the down arrow goes through the classes", current() && classes.size === by("c-true").options.length - 1);
    for (let i = 0; i < 20; i++) { key(now(), "ArrowUp"); }
    check("the up arrow goes back", current() && at() === 1 && now().dataset.true === truth);
    now().dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", shiftKey: true, bubbles: true, cancelable: true }));
    check("with Shift it reads values", at() === 1 && /^t 0\.0[0-9]+ s/.test(now().querySelector(".read").textContent));
    by("c-result").value = "wrong";
    by("c-result").dispatchEvent(new Event("change"));
    key(document.querySelector(".card"), "ArrowRight");
    check("it steps through the wrong ones", now().dataset.true !== now().dataset.predicted && at() === 2 && Number(by("c-state").textContent.match(/of ([0-9]+)/)[1]) < all);
    parent.postMessage(said.join("\n") + "\nend", "*");
  });
});
JS
frame() { # page, width and height; a window is 500 px wide at least, a frame in it is not
  echo "<body style='margin:0'><pre id='said'></pre><iframe src='file://$1' style='display:block;border:0;width:$2px;height:$3px'></iframe>"
  echo "<script>addEventListener('message', (event) => { document.getElementById('said').textContent = event.data; });</script>"
}
for width in 1400 480; do
  { sed '$d' "$page" | sed '$d'; echo '<script>'; sed "s/WIDTH/$width/" "$tmp/probe.js"; echo '</script></body></html>'; } > "$tmp/probe.html"
  frame "$tmp/probe.html" $width 900 > "$tmp/frame.html"
  chrome --window-size=1400,1000 --dump-dom "file://$tmp/frame.html" > "$tmp/dom"
  sed -n '/id="said"/,/^end/p' "$tmp/dom" | sed 's/.*id="said">//' > "$tmp/said"
  grep -q '^end' "$tmp/said" || fail 'the script in the page did not end'
  if grep BAD "$tmp/said" >&2; then fail "at $width px"; fi
  echo "at $width px: $(grep -c good "$tmp/said") checks"
  frame "$page" $width 1600 > "$tmp/frame.html"
  chrome --window-size=$((width < 500 ? 500 : width)),1600 --screenshot="$shots/report-$width.png" "file://$tmp/frame.html"
done
echo "all is well ($all maps, $right right, $wrong wrong); screenshots in $shots"
