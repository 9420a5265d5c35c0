"""Which scenes to render: minimal pairs, kept in a small text file from which they can be made again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yochi_runtime.errors import UsageError

from .hazards import BY_ID, HAZARDS
from .spec import VERSION, SceneSpec, draw_spec


@dataclass(frozen=True)
class Pair:
    """One line of a seed file: the scene of `seed`, and the same with `hazard` flipped."""

    seed: int
    hazard: str

    @property
    def name(self) -> str:
        return f"{self.seed:06d}-{self.hazard}"

    def scenes(self) -> tuple[tuple[str, SceneSpec], tuple[str, SceneSpec]]:
        """Both scenes by name; the names sort side by side."""
        spec = draw_spec(self.seed)
        return (f"{self.name}-0", spec), (f"{self.name}-1", spec.flip(self.hazard))


def pair_of(scene: str) -> Pair:
    """The pair that has a scene of this name."""
    seed, hazard, _ = scene.split("-")
    return Pair(int(seed), hazard)


def draw_pairs(count: int, first_seed: int = 0) -> list[Pair]:
    """`count` pairs from seeds of their own, every hazard in turn, so that none is rare."""
    found: list[Pair] = []
    waiting = list(range(first_seed, first_seed + 64))
    following = first_seed + 64
    for number in range(count):
        hazard = HAZARDS[number % len(HAZARDS)].id
        fitting = next((s for s in waiting if hazard in draw_spec(s).applicable()), None)
        while fitting is None:
            waiting.append(following)
            fitting = following if hazard in draw_spec(following).applicable() else None
            following += 1
        waiting.remove(fitting)
        waiting.append(following)
        following += 1
        found.append(Pair(fitting, hazard))
    return found


def write_seeds(chosen: Sequence[Pair], file: Path) -> None:
    """A seed file: `SEED HAZARD` a line."""
    lines = [f"# scenes version {VERSION}: seed, and the hazard that is flipped in the second scene"]
    file.write_text("\n".join([*lines, *(f"{p.seed} {p.hazard}" for p in chosen)]) + "\n", encoding="utf-8")


def read_seeds(file: Path) -> list[Pair]:
    """What `write_seeds` wrote; UsageError names file and line of a bad one."""
    if not file.is_file():
        raise UsageError(f"expected a seed file at {file}, found none; leave --seed-file out to draw seeds")
    found: list[Pair] = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or not words[0].isascii() or not words[0].isdigit() or words[1] not in BY_ID:
            raise UsageError(f"{file}:{number}: expected SEED HAZARD, got {line.strip()!r}")
        pair = Pair(int(words[0]), words[1])
        if pair in found:
            raise UsageError(f"{file}:{number}: expected every pair once, got {line.strip()!r} again")
        if pair.hazard not in draw_spec(pair.seed).applicable():
            raise UsageError(
                f"{file}:{number}: expected a hazard that scene {pair.seed} can have, got {pair.hazard}"
            )
        found.append(pair)
    return found
