#!/usr/bin/env bash
# A trained model in onnxruntime and in PyTorch, in 32 and in 16 bits, against `exgnet predict`:
#   tests/interop/check.sh RUN [exgnet]
# A model of cleaned strips is refused: the other programs do not clean what they are given.
# ONNX_PYTHON and TORCH_PYTHON name Pythons with onnxruntime and numpy, and with torch, safetensors and numpy (python3).
set -euo pipefail
run=${1:?a run folder or a model file}
exgnet=${2:-target/release/exgnet}
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
onnx=${ONNX_PYTHON:-python3}
torch=${TORCH_PYTHON:-python3}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

for bits in 32 16; do
  half=()
  ((bits == 32)) || half=(--half)
  "$exgnet" export --model "$run" --out "$tmp/$bits.safetensors" --quiet "${half[@]}"
  "$exgnet" export --model "$run" --out "$tmp/$bits.onnx" --quiet "${half[@]}"
done
"$onnx" "$here/strips.py" "$tmp/32.onnx" "$tmp"
for bits in 32 16; do
  "$exgnet" predict --model "$tmp/$bits.safetensors" "$tmp"/strip-*.npy --json > "$tmp/$bits.jsonl" 2> "$tmp/log" ||
    { cat "$tmp/log" >&2; exit 1; }
  "$onnx" "$here/onnx_logits.py" "$tmp/$bits.onnx" "$tmp/$bits.jsonl"
  "$torch" "$here/../goldens/torch/load_model.py" "$tmp/$bits.safetensors" --strips "$tmp/$bits.jsonl"
done
# a trained model may come with its train-only part
model=$run
[[ -d $run ]] && model=$run/model.safetensors
"$torch" "$here/../goldens/torch/load_model.py" "$model" --strips "$tmp/32.jsonl"
echo "all is well"
