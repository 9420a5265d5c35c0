#!/usr/bin/env bash
# The whole road of yochi-nano: photos and notes -> records -> SFT -> export -> bundle -> evaluation.
#
#   bash train/recipes/nano.sh PHOTOS [NARRATIVES]   the recipe of the shipped bundle; PHOTOS has photos.jsonl
#   bash train/recipes/nano.sh --smoke               every step, tiny, on drawn pictures (no data needed)
#
# Cost on 2 cores without a GPU: see docs/decisions.md for the measured minutes of the shipped run.
# Every step goes on where it was killed; runs/nano (or runs/smoke) holds everything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

usage="expected: nano.sh PHOTOS [NARRATIVES], or nano.sh --smoke"
photos=${1:?$usage}
if [ "$photos" = --smoke ]; then
  run=${YOCHI_RUN:-runs/smoke}
  mkdir -p "$run"
  [ -f "$run/photos/photos.jsonl" ] || python -m yochi_train.drawn "$run/photos" 128
  count=100 narratives=() evaluation=(--per-set 8 --resamples 100) parity=20 calibration=50
  settings=$run/smoke.toml
  printf '%s\n' 'records = "records"' 'photos = "photos"' 'features = "features"' \
    'steps = 2' 'packs = 1' 'projector_steps = 1' 'checkpoint_every = 1' >"$settings"
else
  run=${YOCHI_RUN:-runs/nano}
  mkdir -p "$run"
  ln -sfn "$(realpath "$photos")" "$run/photos"
  count=15000 narratives=(${2:+--narratives "$2"}) evaluation=() parity=500 calibration=750
  settings=train/recipes/nano.toml
fi
photos=$run/photos

[ -f "$run/records/card.json" ] || yochi-train records photos "$photos" "$run/records" --count "$count" "${narratives[@]}"
yochi-train sft "$settings" "$run/sft"
yochi-export all "$run/sft" "$run/export" --records "$run/records" --photos "$photos" \
  --calibration-count "$calibration" --parity-count "$parity"
yochi-train evaluate "$run/export/bundle" "$run/records" "$run/evaluation" --photos "$photos" \
  --features "$run/features" "${evaluation[@]}"
yochi-export pack "$run/export" "$run/bundle" --evaluation "$run/evaluation/evaluation.json"
yochi bundle show "$run/bundle"
