"""The benchmarks' workload: the rule that chooses pictures, its notes against all others, what is shipped."""

from collections import Counter
from collections.abc import Mapping

import pytest
from yochi_bench.workload import SHIPPED_RECORDS
from yochi_runtime.errors import UsageError
from yochi_runtime.record import read_records
from yochi_runtime.taxonomy import Pack, load_pack
from yochi_train.grammar import LANGS, Lang
from yochi_train.leakage import near_notes, note_key
from yochi_train.packs import words
from yochi_train.pictures import Photo, Picture
from yochi_train.rendered import Rendered, SwitchedOn
from yochi_train.rows import Place
from yochi_train.testset import hand_notes
from yochi_train.workload import HALF, chosen, records

HAZARDS = ("cue:fire", "cue:spill", "cue:no_vest")
PACK = load_pack()


def scene(seed: int, place: int, hazard: str, on: bool) -> Photo:
    hazards = [SwitchedOn(slot=hazard, category="any", seen=True)] if on else []
    made = Rendered(
        scene=f"2-{seed}", pair=f"{seed:06d}-x", switched=hazard, hazards=hazards, texts={}, half_seen=[]
    )
    return Photo(image=f"{seed}-{place}.jpg", set="scenes", labelled=[], boxes=[], rendered=made)


def pairs(count: int) -> list[Photo]:
    """`count` minimal pairs, the hazards in turn."""
    return [scene(n, on, HAZARDS[n % 3], bool(on)) for n in range(count) for on in (0, 1)]


def test_safe_and_dangerous_in_turn_hazards_in_turn_no_pair_twice() -> None:
    found = [photo.rendered for photo in chosen(pairs(150)) if photo.rendered]
    assert [made.verdict for made in found] == ["safe", "not_safe"] * HALF
    assert len({made.pair for made in found}) == 2 * HALF
    for half in (found[::2], found[1::2]):
        assert sorted(Counter(made.switched for made in half).values()) == [16, 17, 17]
    assert [made.pair for made in found[:6:2]] == ["000000-x", "000001-x", "000002-x"]


def test_too_few_scenes_and_photos_are_refused() -> None:
    with pytest.raises(UsageError, match=r"expected 50 scenes of each kind, got 30"):
        chosen(pairs(80))
    with pytest.raises(UsageError, match="expected rendered scenes"):
        chosen([Photo(image="a.jpg", set="site", labelled=[], boxes=[])])


@pytest.mark.parametrize("lang", LANGS)
def test_no_note_is_one_of_the_test_or_validation_notes(lang: Lang) -> None:
    own = {
        note_key(note.text, lang): Place("own", n)
        for n, (note, _) in enumerate(hand_notes(lang, PACK, stem="workload"))
    }
    lines = words(None, f"validation.{lang}.txt").splitlines()
    others = {
        note_key(line.split(";;")[0], lang): Place("validation", n) for n, line in enumerate(lines) if line
    }
    others |= {
        note_key(note.text, lang): Place("test", n) for n, (note, _) in enumerate(hand_notes(lang, PACK))
    }
    assert list(near_notes(others, own)) == []
    assert len(own) == {"en": 60, "ja": 40}[lang]


def test_what_is_shipped_is_what_the_notes_and_the_rule_make() -> None:
    """From the cues in the shipped file: notes that were changed without making it again are found."""
    held = read_records(SHIPPED_RECORDS)
    pictures = list(
        {
            record.image: picture(record.image, record.slots, PACK)
            for record in sorted(held, key=lambda r: r.image)
        }.values()
    )
    made = list(records(pictures, PACK))
    assert [(r.id, r.image, r.note, r.kind, r.slots) for r in made] == [
        (r.id, r.image, r.note, r.kind, r.slots) for r in held
    ]


def picture(image: str, slots: Mapping[str, int], pack: Pack) -> Picture:
    cues = {cue.id: slots[f"cue:{cue.id}"] for cue in pack.cue if f"cue:{cue.id}" in slots}
    texts = {
        t.category: slots[f"image_text:{t.category}"]
        for t in pack.image_text
        if f"image_text:{t.category}" in slots
    }
    return Picture(image, "scenes", 0, "train", cues, {}, (), (), "safe", "", "", texts)
