"""What a peer's process is started with (`peer_process` says what the peers are)."""

from enum import StrEnum

from yochi_runtime.taxonomy import Frozen


class PeerName(StrEnum):
    YOCHI = "yochi"
    JSON = "json"
    TOKEN = "token"


class PeerSettings(Frozen):
    """Paths as text; `bundle` None for the shipped one; `threads` of each engine."""

    peer: PeerName
    images: tuple[str, ...]
    notes: tuple[str, ...]
    bundle: str | None
    threads: int
