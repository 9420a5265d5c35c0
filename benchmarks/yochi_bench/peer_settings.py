"""What a peer's process is started with (`peer_process` says what the peers are)."""

from enum import StrEnum

from yochi_runtime.taxonomy import Frozen


class PeerName(StrEnum):
    YOCHI = "yochi"
    JSON = "json"
    TOKEN = "token"
    CHAT = "chat"
    SERVER_JSON = "server-json"
    SERVER_TOKEN = "server-token"
    TORCH = "torch"

    @property
    def needs(self) -> tuple[str, str] | None:
        """Package that the box does not have, and what brings it; None where it needs nothing else."""
        return _NEEDS.get(self)

    @property
    def module(self) -> str:
        """What is run. The one in torch stands above this layer and is only named here."""
        return "yochi_export.peer_torch" if self is PeerName.TORCH else "yochi_bench.peer_process"


_NEEDS = {
    PeerName.SERVER_JSON: ("xllamacpp", "pip install 'yochi[bench]'"),
    PeerName.SERVER_TOKEN: ("xllamacpp", "pip install 'yochi[bench]'"),
    PeerName.TORCH: ("torch", "pip install 'yochi[export]'"),
}


class PeerSettings(Frozen):
    """Paths as text; `bundle` None for the shipped one; `threads` of each engine."""

    peer: PeerName
    images: tuple[str, ...]
    notes: tuple[str, ...]
    bundle: str | None
    threads: int
