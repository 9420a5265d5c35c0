"""The second pack by the recipe's own commands: its words, drawn pictures, records, training.

Nothing of it is in the package: it is a folder, as a user's own would be.
"""

import json
import math
from pathlib import Path

import pytest
from safetensors.torch import load_file
from yochi_runtime.errors import UsageError
from yochi_runtime.taxonomy import Pack
from yochi_train.drawn import draw_photos
from yochi_train.grammar import LANGS
from yochi_train.narratives import Narrative
from yochi_train.pack_report import pack_report
from yochi_train.packs import load_factors, words
from yochi_train.pictures import Picture, build_pictures, read_pictures
from yochi_train.records import NoteSource, read_records
from yochi_train.testset import SETS, TestSet

from tests.fixtures.tokenizer import small_tokenizer

from .made import command, unlike

FOLDER = Path(__file__).resolve().parents[2] / "train" / "packs" / "warehouse"
PHOTOS, STEPS = 64, 2
# PEFT asks transformers by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def warehouse() -> Pack:
    return load_factors(FOLDER)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("warehouse")
    draw_photos(folder, PHOTOS, pack_folder=FOLDER)
    return folder


@pytest.fixture(scope="module")
def pictures(photos: Path, warehouse: Pack) -> tuple[Picture, ...]:
    return tuple(build_pictures(photos, warehouse, unlike(PHOTOS)))


def test_its_check_finds_words_for_every_factor(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["packs", "check", str(FOLDER)]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "pack warehouse 1: 6 categories, 8 cues, 23 slots"
    assert "words of more than one token: none" in lines
    rows = {line[:40].strip(): line[40:].split() for line in lines if line.count("+") == 2}
    assert len(rows) == 6 * 2 + 1 + 2  # asked and reported, harmless, combinations
    for section, (en_train, _, en_val, ja_train, _, ja_val) in rows.items():
        assert min(int(en_train), int(ja_train)) >= 12, section
        assert min(int(en_val), int(ja_val)) >= 4, section


def test_its_notes_are_its_own() -> None:
    for lang in LANGS:
        own = {line for name in ("phrases", "validation") for line in lines(f"{name}.{lang}.txt", FOLDER)}
        factory = {line for name in ("phrases", "validation") for line in lines(f"{name}.{lang}.txt", None)}
        assert len(own) > 200
        assert not own & factory


def lines(name: str, folder: Path | None) -> list[str]:
    return [line for line in words(folder, name).splitlines() if line and line[0] not in "#["]


def test_every_cue_is_drawn_and_known(pictures: tuple[Picture, ...], warehouse: Pack) -> None:
    cues = {cue.id for cue in warehouse.cue}
    assert all(set(p.cues) == cues for p in pictures)
    assert {cue for p in pictures for cue, seen in p.cues.items() if seen} == cues
    risky = {cue.id for cue in warehouse.cue if cue.risk}
    assert all(not any(p.cues[cue] for cue in risky) for p in pictures if p.checked == "safe")


def test_the_recipe_s_commands_train_it(photos: Path, tmp_path: Path, warehouse: Pack) -> None:
    """`records photos`, `records validate`, `sft`: the base language model, two steps."""
    records, run = tmp_path / "records", tmp_path / "run"
    made = ["records", "photos", str(photos), str(records), "--features", str(tmp_path / "features")]
    assert command([*made, "--count", "56", "--pack", str(FOLDER)]) == 0
    check = ["records", "validate", str(records), "--photos", str(photos)]
    assert command([*check, "--pack", str(FOLDER)]) == 0
    assert command(check) == 2  # other notes would be compared, and every check would pass
    assert command(["records", "split", str(records), str(tmp_path / "other")]) == 2
    settings = [f'records = "{records}"', f'photos = "{photos}"', f'features = "{tmp_path / "features"}"']
    settings += [f"steps = {STEPS}", "packs = 1", "lora_rank = 2", "projector_steps = 1", "threads = 1"]
    (tmp_path / "run.toml").write_text("\n".join(settings), encoding="utf-8")
    assert command(["sft", str(tmp_path / "run.toml"), str(run)]) == 0

    slots = {slot for record in read_records(records / "train.jsonl") for slot in record.slots}
    assert slots <= set(warehouse.slot_index)
    assert {"combination:racking", "note_content:dock_edge", "cue:exit_blocked"} <= slots
    assert {cue for p in read_pictures(records / "pictures.jsonl") for cue in p.cues} == {
        c.id for c in warehouse.cue
    }
    model = run / "model"
    # Nobody said --pack to `sft`: it is the one that the records were made with, and the export's too.
    assert (model / "pack.toml").read_bytes() == (FOLDER / "pack.toml").read_bytes()
    log = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in log] == [1, 2]
    assert all(math.isfinite(line["loss"]) for line in log)
    learned = load_file(model / "adapter" / "adapter_model.safetensors")
    assert any(float(value.abs().max()) > 0 for name, value in learned.items() if "lora_B" in name)
    assert set(json.loads((model / "positives.json").read_text(encoding="utf-8"))) <= slots


def test_its_test_notes_make_every_set(pictures: tuple[Picture, ...], warehouse: Pack) -> None:
    # The split goes by the name of a group: here every picture is one of the test split.
    held = [Picture(**{**p.__dict__, "split": "test"}) for p in pictures]
    sets = TestSet(held, warehouse, seed=0, folder=FOLDER).build()
    assert [name for name in SETS if not sets[name]] == ["signs"]  # the pack has none
    assert {r.verdict for r in sets["verdicts"]} == {"proceed", "caution", "stop"}
    with pytest.raises(UsageError, match=r"expected test notes of the pack warehouse, .*folder: --pack"):
        TestSet(held, warehouse, seed=0)


def test_accidents_of_other_factors_are_left_out(warehouse: Pack) -> None:
    told = [
        Narrative("1", "en", "He fell.", "fall"),
        Narrative("2", "ja", "構内でトラックにはねられた。", "vehicle"),
    ]
    assert not any(n.validation for n in told)
    notes = NoteSource(warehouse, "train", told, seed=0, folder=FOLDER)
    assert (notes.has_narratives("en"), notes.has_narratives("ja")) == (False, True)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("pack.toml", r"expected the folder of a pack, with pack\.toml, got "),
        ("validation.ja.txt", r"expected validation\.ja\.txt \(UTF-8\) in the pack's folder "),
        ("[harmless]", r"^phrases\.en\.txt: expected templates under \[harmless\], got none"),
        ("[combination racking]", r"^phrases\.en\.txt: expected templates under \[combination racking\]"),
    ],
)
def test_what_a_pack_lacks_is_named(tmp_path: Path, gone: str, said: str) -> None:
    for file in FOLDER.iterdir():
        text = file.read_text(encoding="utf-8")
        if file.name == "phrases.en.txt":
            text = without(gone, text)
        if file.name != gone:
            (tmp_path / file.name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        pack_report(tmp_path, small_tokenizer())


def without(section: str, text: str) -> str:
    """A phrase file without one of its sections."""
    blocks = text.split("\n\n")
    return "\n\n".join(block for block in blocks if block.partition("\n")[0] != section)
