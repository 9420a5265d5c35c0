"""A bundle from its parts: deterministic, complete, small enough, and shipped by its hash."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from yochi_export import pack
from yochi_export.pack import (
    NOT_COMPARED,
    Parts,
    judging_hashes,
    parts_of,
    proved_languages,
    ship,
    write_bundle,
)
from yochi_export.repack import Changes, repack
from yochi_runtime.bundle import MANIFEST, file_sha256, open_bundle
from yochi_runtime.errors import UsageError

from tests.fixtures.tiny_bundle import make_bundle, write_lora

PARITY = {
    "records": 500,
    "pictures": 120,
    "templates": 80,
    "slots": 40,
    "mean_difference": 0.004,
    "max_difference": 0.08,
    "worst_slot": "cue:fire",
    "flips": {"stop->caution": 2},
    "flip_rate": 0.004,
    "flip_limit": 0.0125,
    "stops_lost": 0,
    "bars": {"min_records": 500, "max_mean_difference": 0.01, "max_flip_limit": 0.02, "max_stops_lost": 0},
    "status": "passed",
    "passed": True,
}
EVALUATION = {
    "command": "yochi-train evaluate BUNDLE",
    "tables": [{"title": "Cues", "columns": ["cue", "AUROC"], "rows": [["fire", "0.97"]]}],
    "bars": [{"name": "miss", "value": "0.04", "bar": "<= 0.05", "met": True}],
    "notes": ["Japanese was tried twice."],
    "languages": {"en": True, "ja": False},
    "whole": True,
}


def evaluation_of(parts: Parts, **changes: object) -> dict[str, object]:
    """EVALUATION as if it had been made of these parts."""
    return {**EVALUATION, "evaluated": judging_hashes(parts), **changes}


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    whole = parts_of(open_bundle(make_bundle(tmp_path / "tiny").folder))
    assert isinstance(whole, Parts)
    return replace(whole, parity=NOT_COMPARED, languages=())


def test_the_same_parts_give_the_same_bundle(parts: Parts, tmp_path: Path) -> None:
    whole = replace(parts, parity=PARITY, evaluation=evaluation_of(parts), languages=("en",))
    first, second = (write_bundle(whole, tmp_path / name) for name in ("a", "b"))
    assert first.sha256 == second.sha256
    assert {path.name for path in first.path.iterdir()} == {*first.manifest.files, MANIFEST}
    for path in first.path.iterdir():
        assert path.read_bytes() == (second.path / path.name).read_bytes()
        assert str(tmp_path).encode() not in path.read_bytes()
        assert b"\r\n" not in path.read_bytes() or path.suffix in (".onnx", ".gguf")
    manifest = (first.path / MANIFEST).read_text(encoding="utf-8")
    assert list(json.loads(manifest)) == sorted(json.loads(manifest))


def test_the_proof_and_the_languages_come_from_what_was_measured(parts: Parts, tmp_path: Path) -> None:
    undecided = write_bundle(replace(parts, parity=NOT_COMPARED), tmp_path / "draft")
    assert undecided.manifest.proof.passed is False
    proved = write_bundle(
        replace(parts, parity=PARITY, evaluation=evaluation_of(parts), languages=("en",)), tmp_path / "p"
    )
    assert proved.manifest.proof.passed is True
    assert proved.manifest.languages == ("en",)
    assert proved_languages(EVALUATION, None) == ("en",)
    assert proved_languages(None, None) == ()
    with pytest.raises(UsageError, match="ja"):
        write_bundle(
            replace(parts, evaluation=evaluation_of(parts), languages=("en", "ja")), tmp_path / "lie"
        )


def test_a_language_needs_a_whole_evaluation_of_this_very_bundle(parts: Parts, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a whole evaluation proves, got en"):
        write_bundle(replace(parts, languages=("en",)), tmp_path / "none")
    partly = replace(parts, evaluation=evaluation_of(parts, whole=False), languages=("en",))
    with pytest.raises(UsageError, match="a whole evaluation proves, got en"):
        write_bundle(partly, tmp_path / "part")
    assert proved_languages(evaluation_of(parts, whole=False), None) == ()
    other = replace(parts, evaluation=evaluation_of(parts, evaluated={"vision.onnx": "0" * 64}))
    with pytest.raises(UsageError, match="this very bundle"):
        write_bundle(other, tmp_path / "other")


def test_the_card_tells_what_it_is_and_what_it_is_not(parts: Parts, tmp_path: Path) -> None:
    counts = dict.fromkeys(parts.positives, 100) | {"cue:guard_missing": 3}
    whole = replace(
        parts, positives=counts, parity=PARITY, evaluation=evaluation_of(parts), languages=("en",)
    )
    card = (write_bundle(whole, tmp_path / "b").path / "MODEL_CARD.md").read_text(encoding="utf-8")
    for said in (
        "An assembled domain model, not a pretrained vision-language model",
        "It is not a safety function",
        "Proved: English.",
        "| `cue:guard_missing` | 3 | **not trained** |",
        "| fire | 0.97 |",
        "`yochi-train evaluate BUNDLE`",
        "Japanese was tried twice.",
        "| their 95 % upper limit (Clopper-Pearson) | 1.25% | <= 2% |",
    ):
        assert said in " ".join(card.split())
    bare = write_bundle(replace(parts, card="mine\n"), tmp_path / "c")
    assert (bare.path / "MODEL_CARD.md").read_text(encoding="utf-8") == "mine\n"


def test_what_learned_to_explain_says_so_and_keeps_it(parts: Parts, tmp_path: Path) -> None:
    silent = write_bundle(parts, tmp_path / "silent")
    assert "explanation" not in (silent.path / MANIFEST).read_text(encoding="utf-8")
    assert "It writes nothing" in (silent.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    told = write_bundle(replace(parts, explanation="explain-1"), tmp_path / "told")
    again = repack(parts_of(told), tmp_path / "again", Changes(version="2"))
    for bundle in (told, again):
        assert bundle.manifest.explanation == "explain-1"
        card = (bundle.path / "MODEL_CARD.md").read_text(encoding="utf-8")
        assert "It writes nothing" not in card
        assert "one short line" in card


def test_a_card_of_a_draft_claims_nothing(parts: Parts, tmp_path: Path) -> None:
    draft = replace(parts, parity=NOT_COMPARED, evaluation=None, languages=())
    card = (write_bundle(draft, tmp_path / "b").path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "None is proved" in card
    assert "Not evaluated." in card
    assert "Not compared." in card


def test_weights_that_are_too_large_are_refused(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a repository alone: what is only made and measured may be larger."""
    size = parts.vision.stat().st_size + parts.lora.stat().st_size
    monkeypatch.setattr(pack, "MAX_WEIGHTS", size - 1)
    large = write_bundle(replace(parts, parity=PARITY), tmp_path / "large")
    with pytest.raises(UsageError, match=f"got {size}"):
        ship(large, tmp_path / "package")


def test_shipping_copies_and_pins(parts: Parts, tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "trust.py").write_text('"""Why."""\n\nSHIPPED_MANIFEST_SHA256 = ""\n', encoding="utf-8")
    good = replace(parts, parity=PARITY)
    old = write_bundle(replace(good, evaluation=evaluation_of(parts), languages=("en",)), tmp_path / "old")
    new = write_bundle(replace(good, version="2"), tmp_path / "new")
    with pytest.raises(UsageError, match="proof passed"):
        ship(write_bundle(parts, tmp_path / "unproved"), package)
    for bundle in (old, new):
        folder = ship(bundle, package)
        assert folder == package / "bundles" / "nano"
        assert file_sha256(folder / MANIFEST) == bundle.sha256
        assert {path.name for path in folder.iterdir()} == {*bundle.manifest.files, MANIFEST}
        pinned = f'"""Why."""\n\nSHIPPED_MANIFEST_SHA256 = "{bundle.sha256}"\n'
        assert (package / "trust.py").read_text(encoding="utf-8") == pinned
    (package / "trust.py").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="SHIPPED_MANIFEST_SHA256"):
        ship(new, package)


def test_a_lora_that_explains_changes_nothing_that_was_proved(parts: Parts, tmp_path: Path) -> None:
    proved = write_bundle(replace(parts, parity=PARITY, evaluation=evaluation_of(parts)), tmp_path / "a")
    write_lora(tmp_path / "explain.gguf", seed=5)
    told = repack(parts_of(proved), tmp_path / "b", Changes(explain=tmp_path / "explain.gguf"))
    assert told.manifest.explanation == "explain-1"
    assert told.manifest.proof.passed is True
    kept = proved.manifest.files.keys() - {"MODEL_CARD.md"}
    assert {name: told.manifest.files[name] for name in kept} == {n: proved.manifest.files[n] for n in kept}
    assert told.manifest.files.keys() - proved.manifest.files.keys() == {"explain.gguf"}
    again = repack(parts_of(told), tmp_path / "c", Changes(version="2"))
    assert again.manifest.files["explain.gguf"] == told.manifest.files["explain.gguf"]
    assert judging_hashes(parts_of(told)) == judging_hashes(parts_of(proved))
    for wrong in (tmp_path / "none.gguf", proved.path / MANIFEST):
        with pytest.raises(UsageError, match="expected a LoRA as GGUF"):
            repack(parts_of(proved), tmp_path / "d", Changes(explain=wrong))


def test_packing_again_keeps_the_engines_and_a_new_calibration_undoes_the_proof(
    parts: Parts, tmp_path: Path
) -> None:
    proved = write_bundle(replace(parts, parity=PARITY, languages=()), tmp_path / "a")
    evaluation = tmp_path / "evaluation.json"
    evaluation.write_text(json.dumps(evaluation_of(parts)), encoding="utf-8")
    again = repack(parts_of(proved), tmp_path / "b", Changes(evaluation=evaluation))
    assert again.manifest.languages == ("en",)
    assert again.manifest.proof.passed is True
    for name in ("vision.onnx", "lora.gguf", "calibration.json", "parity.json"):
        assert again.manifest.files[name] == proved.manifest.files[name]
    other = repack(parts_of(proved), tmp_path / "c", Changes(calibration=proved.path / "calibration.json"))
    assert other.manifest.proof.passed is False
    evaluation.write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="expected JSON"):
        repack(parts_of(proved), tmp_path / "d", Changes(evaluation=evaluation))
    with pytest.raises(UsageError, match="expected a calibration"):
        repack(parts_of(proved), tmp_path / "d", Changes(calibration=proved.path / MANIFEST))
