"""What a judgement may do to the plant, for a careful roll-out: one mode a camera.

| mode    | what the worker is shown  | outputs                                                     |
|---------|---------------------------|-------------------------------------------------------------|
| shadow  | that it records, no more  | none                                                        |
| advise  | the judgement             | none                                                        |
| enforce | the judgement             | `release` for proceed and caution, otherwise `hold`         |

Everything that goes wrong is a `cannot_judge`, a judgement past its time included, so it holds. Whoever
drives an output reads `Judgement.output` and nothing else, and holds where he gets none in time.
"""

from enum import StrEnum

from .verdict import Verdict


class Mode(StrEnum):
    """How far a camera's judgements reach."""

    SHADOW = "shadow"
    ADVISE = "advise"
    ENFORCE = "enforce"


class Output(StrEnum):
    """What a lamp, lock or interlock is to do with a judgement."""

    RELEASE = "release"
    HOLD = "hold"


def enforced(verdict: Verdict) -> Output:
    """What `enforce` does with it. Asked as "is it one of these two", so that nothing else ever releases.

    A caution releases: it is a slight injury at most. What a plant wants held, its rulebook raises to stop.
    """
    return Output.RELEASE if verdict in (Verdict.PROCEED, Verdict.CAUTION) else Output.HOLD


def output_of(mode: Mode | None, verdict: Verdict) -> Output | None:
    """The decision that a judgement carries; None where nothing is driven."""
    return enforced(verdict) if mode is Mode.ENFORCE else None
