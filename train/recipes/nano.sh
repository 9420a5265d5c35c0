#!/usr/bin/env bash
# The whole road of yochi-nano: photos and notes -> records -> SFT -> export -> bundle -> evaluation.
#
#   bash train/recipes/nano.sh PHOTOS [NARRATIVES]   the full recipe; PHOTOS has photos.jsonl
#   bash train/recipes/nano.sh --smoke               every step, tiny, on drawn pictures (no data needed)
#
# Cost on 2 cores without a GPU: features 7 minutes, SFT 1,600 steps (4.4 s each in the first run), export and
# evaluation half an hour at a guess. Every step goes on where it was killed; runs/nano (runs/smoke, $YOCHI_RUN)
# holds everything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

photos=${1:?expected: nano.sh PHOTOS [NARRATIVES], or nano.sh --smoke}
if [ "$photos" = --smoke ]; then
  run=${YOCHI_RUN:-runs/smoke}
  mkdir -p "$run"
  [ -f "$run/photos/photos.jsonl" ] || python -m yochi_train.drawn "$run/photos" 128
  count=100 compared=20 narratives=() evaluated=(--per-set 8 --resamples 100)
  recipe=$(printf '%s\n' 'steps = 2' 'packs = 1' 'projector_steps = 1' 'checkpoint_every = 1')
else
  run=${YOCHI_RUN:-runs/nano}
  mkdir -p "$run"
  ln -sfn "$(realpath "$photos")" "$run/photos"
  count=16000 compared=500 narratives=(${2:+--narratives "$2"}) evaluated=()
  recipe=$(cat train/recipes/nano.toml)
fi
printf '%s\n' 'records = "records"' 'photos = "photos"' 'features = "features"' "$recipe" >"$run/nano.toml"

[ -f "$run/records/card.json" ] ||
  yochi-train records photos "$run/photos" "$run/records" --features "$run/features" --count "$count" \
    "${narratives[@]}"
yochi-train sft "$run/nano.toml" "$run/sft"

# Exit 1 says "not proved", which is what 20 compared records of the smoke run must give.
proved=0
yochi-export all "$run/sft" "$run/export" --records "$run/records" --photos "$run/photos" --count "$compared" || proved=$?
[ "$proved" -le 1 ] || exit "$proved"

yochi-train evaluate "$run/export/bundle" "$run/records" "$run/evaluation" --photos "$run/photos" \
  --features "$run/features" "${evaluated[@]}"
yochi-export pack "$run/export/bundle" "$run/bundle" --evaluation "$run/evaluation/evaluation.json"
yochi bundle show "$run/bundle"
