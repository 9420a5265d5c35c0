"""What the routes of the first run answer with, and what they are asked."""

from typing import Literal

from pydantic import Field

from ..errors import Reason
from ..inspection import MAX_NOTE_CHARACTERS
from ..limits import Gate
from ..taxonomy import Frozen
from .engineer_given import BundleInUse
from .kept_address import MAX_ADDRESS

MAX_SENT = 4 * MAX_ADDRESS  # characters of what may turn out to be no address


class UsbCamera(Frozen):
    """`usable`: Yochi's user has the rights."""

    index: int
    name: str
    usable: bool


class SetupState(Frozen):
    """What is chosen so far, and what there is to choose from.

    `camera_named`: an option names it, so that none is chosen here. `fault`: why no bundle is open.
    `makes_tokens`: there is no second token yet. `service`: another once it has started again.
    """

    service: str
    cameras: tuple[UsbCamera, ...]
    camera: str | None
    camera_named: bool
    note: str | None
    language: Literal["en", "ja"] | None
    bundle: BundleInUse | None
    fault: str | None
    makes_tokens: bool


class TriedCamera(Frozen):
    """The camera to look through."""

    camera: str = Field(max_length=MAX_SENT)


class LookedThrough(Frozen):
    """What came in a few seconds: pixels, frames a second, seconds; None of a file, which has neither."""

    width: int
    height: int
    frames: int  # read
    rate: float | None  # of the camera, read or not
    oldest: float | None  # when it was read
    failures: int  # reads without a frame
    failure: str | None  # the last of them


class SeenCamera(Frozen):
    """What the camera gave, its last frame as a JPEG (`data:`) with its gates, and what is wrong.

    Without a picture none came. `looked` is None where it is the camera that is judged now. `reason` is what
    a judgement of this frame would name.
    """

    looked: LookedThrough | None
    gates: tuple[Gate, ...]
    picture: str | None
    fault: str | None
    reason: Reason | None


class CheckedBundle(Frozen):
    """Whether every byte of the open bundle and its base model is the one that was proved."""

    whole: bool
    said: str


class WantedSetup(Frozen):
    """All that is chosen; `camera` None: no fixed one."""

    language: Literal["en", "ja"]
    camera: str | None = Field(max_length=MAX_SENT)
    note: str = Field(max_length=MAX_NOTE_CHARACTERS)


class DoneSetup(Frozen):
    """What was chosen counts. `reading` and `admin` are new tokens, told this once; None where not made.

    `tokens_file` is where they are kept. `starts_again`: the service does, with the camera that was chosen.
    """

    reading: str | None
    admin: str | None
    tokens_file: str | None
    starts_again: bool
