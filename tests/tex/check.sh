#!/usr/bin/env bash
# Tables in a real TeX (Debian: apt-get install texlive-latex-base texlive-latex-recommended poppler-utils):
#   tests/tex/check.sh [exgnet] [folder for pages] [sweep ...]
# Gathers a small sweep that it trains, or those given, and all under results/ whose predictions are there, each in a copy;
# sets every table in an article of one and of two columns; fails where something is too wide or too high.
set -euo pipefail
exgnet=$(realpath "${1:-target/release/exgnet}")
pages=${2:-$(mktemp -d)}
mkdir -p "$pages"
pages=$(realpath "$pages")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
fail() { echo "failed: $*" >&2; exit 1; }
for tool in pdflatex pdftoppm; do
  command -v $tool > /dev/null ||
    fail "no $tool; HINT: apt-get install texlive-latex-base texlive-latex-recommended poppler-utils"
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

sweeps=("${@:3}")
if ((${#sweeps[@]} == 0)); then
  cat > "$tmp/base.toml" <<'END'
[data]
fs = 100.0
seconds = 4.0
split = 'stratified'
folds = 2
[data.synthetic]
records = 40
classes = ['SR', 'AFIB/AFL']
[network]
widths = [6, 8]
strides = [1, 2]
stem_channels = 6
[train]
epochs = 1
batch = 8
END
  cat > "$tmp/sweep.toml" <<'END'
base = 'base.toml'
out = 'unused'
folds = [0, 1]
seeds = [3]
[[variant]]
name = 'plain'
set = ['losses.joint=0', 'losses.feature=0', 'losses.xai=0']
[[variant]]
name = 'both_x'
END
  "$exgnet" sweep "$tmp/sweep.toml" --out "$tmp/small" --quiet
  sweeps=("$tmp/small")
fi
for dir in "$here"/../../results/*/; do
  of() { compgen -G "$dir*/*/$1" | wc -l || true; }
  (($(of predictions.csv) > 0 && $(of predictions.csv) == $(of metrics.json))) && sweeps+=("${dir%/}")
done

collect() { # a copy of a sweep, and options
  "$exgnet" collect "$@" --quiet --force > "$tmp/out" 2>&1 || { cat "$tmp/out" >&2; fail "collect $*"; }
}
for sweep in "${sweeps[@]}"; do
  name=$(basename "$sweep")
  mkdir -p "$tmp/runs"
  [[ $sweep == "$tmp"/* ]] && mv "$sweep" "$tmp/runs/$name" || cp -r "$sweep" "$tmp/runs/$name"
  collect "$tmp/runs/$name"
  mkdir "$tmp/$name"
  cp "$tmp/runs/$name"/*.tex "$tmp/$name"
  # few columns, which take no more than one of two
  collect "$tmp/runs/$name" --latex-columns macro-F1,p
  cp "$tmp/runs/$name/table.tex" "$tmp/$name/narrow.tex"
  sed -i 's/\\label{tab:/&narrow-/' "$tmp/$name/narrow.tex"
  grep -q '\\begin{table}' "$tmp/$name/narrow.tex" || fail "$name: two columns of numbers want the whole page"
  rm -r "$tmp/runs/$name"
  for columns in onecolumn twocolumn; do
    {
      printf '\\documentclass[a4paper,%s]{article}\n\\usepackage{booktabs}\n\\begin{document}\n' $columns
      for table in "$tmp/$name"/*.tex; do
        label=$(sed -n 's/^\\label{\(.*\)}$/\1/p' "$table")
        [[ -n $label ]] || fail "$table: no label"
        printf 'Table~\\ref{%s}.\n\\input{%s}\n\\clearpage\n' "$label" "$table"
      done
      printf '\\end{document}\n'
    } > "$tmp/$columns.tex"
    for _ in 1 2; do
      (cd "$tmp" && pdflatex -interaction=nonstopmode -halt-on-error "$columns.tex" > "$columns.out") ||
        { tail -30 "$tmp/$columns.out" >&2; fail "$name does not compile in an article of $columns"; }
    done
    # twice the same label, a reference without one, and what does not fit
    if grep -E 'Overfull|Float too large|multiply defined|undefined|Missing character' "$tmp/$columns.log" >&2; then
      fail "$name in an article of $columns"
    fi
    pdftoppm -r 110 -png "$tmp/$columns.pdf" "$pages/$name-$columns"
  done
  echo "$name: $(find "$tmp/$name" -name '*.tex' | wc -l) tables"
done
echo "all is well; pages in $pages"
