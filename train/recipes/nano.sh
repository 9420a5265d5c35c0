#!/usr/bin/env bash
# The whole road of yochi-nano: photos and notes -> records -> SFT -> export -> bundle -> evaluation.
#
#   bash train/recipes/nano.sh PHOTOS [NARRATIVES]   the full recipe; PHOTOS has photos.jsonl
#   bash train/recipes/nano.sh --smoke               every step, tiny, on drawn pictures (no data needed)
#
# Cost on 2 cores with bf16 products, without a GPU: features 4 minutes, first stage (1,600 steps) 62, second
# stage (1,000 steps, mostly English notes) 31, export 13, evaluation 11: two hours. Every step goes on where it
# was killed; runs/nano (runs/smoke, $YOCHI_RUN) holds everything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

photos=${1:?expected: nano.sh PHOTOS [NARRATIVES], or nano.sh --smoke}
if [ "$photos" = --smoke ]; then
  run=${YOCHI_RUN:-runs/smoke}
  mkdir -p "$run"
  [ -f "$run/photos/photos.jsonl" ] || python -m yochi_train.drawn "$run/photos" 128
  count=(100 100) compared=20 narratives=() evaluated=(--per-set 8 --resamples 100)
  first=$(printf '%s\n' 'steps = 2' 'packs = 1' 'projector_steps = 1' 'checkpoint_every = 1')
  second=$(printf '%s\n' 'steps = 1' 'packs = 1' 'projector_steps = 0')
else
  run=${YOCHI_RUN:-runs/nano}
  mkdir -p "$run"
  ln -sfn "$(realpath "$photos")" "$run/photos"
  count=(28800 20800) compared=500 narratives=(${2:+--narratives "$2"}) evaluated=()
  first=$(cat train/recipes/nano-english.toml)
  second=$(cat train/recipes/nano.toml)
fi
folders=('photos = "photos"' 'features = "features"')
printf '%s\n' 'records = "english"' "${folders[@]}" "$first" >"$run/first.toml"
printf '%s\n' 'records = "records"' 'start = "sft-english"' "${folders[@]}" "$second" >"$run/second.toml"

[ -f "$run/english/card.json" ] ||
  yochi-train records photos "$run/photos" "$run/english" --features "$run/features" --count "${count[0]}" \
    --languages en "${narratives[@]}"
yochi-train sft "$run/first.toml" "$run/sft-english"

[ -f "$run/records/card.json" ] ||
  yochi-train records photos "$run/photos" "$run/records" --features "$run/features" --count "${count[1]}" \
    --seed 1 --no-curriculum --languages en,ja,ja "${narratives[@]}"
yochi-train sft "$run/second.toml" "$run/sft"

# Exit 4 says "not proved", which is what 20 compared records of the smoke run must give.
proved=0
yochi-export all "$run/sft" "$run/export" --records "$run/records" --photos "$run/photos" \
  --count "$compared" || proved=$?
[ "$proved" = 0 ] || [ "$proved" = 4 ] || exit "$proved"

yochi-train evaluate "$run/export/bundle" "$run/records" "$run/evaluation" --photos "$run/photos" \
  --features "$run/features" "${evaluated[@]}"
yochi-export pack "$run/export/bundle" "$run/bundle" --evaluation "$run/evaluation/evaluation.json"
yochi bundle show "$run/bundle"
