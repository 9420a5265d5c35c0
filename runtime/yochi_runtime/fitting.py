"""Whether a bundle fits this machine's memory, and with how many threads it runs there.

What does not fit is refused before it is loaded: a machine that swaps is late, and one whose kernel ends
processes loses its judge in the middle of a shift.
"""

from dataclasses import dataclass

from yochi_devices.board import Board, BoardError, find_board
from yochi_devices.machine import Machine, MachineError, read_machine

from .bundle import MMPROJ, VISION, Bundle, Kind
from .errors import BundleError, Reason, UsageError

# Beside the models' files, all processes together: interpreters, libraries, buffers, one camera. Measured:
# docs/decisions.md.
OVERHEAD = 550 * 10**6  # bytes


@dataclass(frozen=True)
class Place:
    """The machine, its board, and how the board was found."""

    machine: Machine
    board: Board
    found: str

    @property
    def threads(self) -> int:
        return self.board.threads_on(self.machine)


def find_place() -> Place:
    """UsageError for an override that cannot be meant, or a machine of no known kind."""
    try:
        machine = read_machine()
        return Place(machine, *find_board(machine))
    except (BoardError, MachineError) as e:
        raise UsageError(str(e)) from e


def needed(bundle: Bundle) -> int:
    """Bytes at the most."""
    eyes = MMPROJ if bundle.manifest.kind is Kind.STOCK else VISION
    return bundle.manifest.base.bytes + bundle.manifest.files[eyes].bytes + OVERHEAD


def check_fits(bundle: Bundle, place: Place) -> None:
    """BundleError with the numbers where the bundle needs more than the board gives."""
    need, budget = needed(bundle), place.board.budget(place.machine)
    if need > budget:
        raise BundleError(
            Reason.BUNDLE_TOO_LARGE,
            f"expected at most {budget / 1e6:.0f} MB for the bundle {bundle.manifest.name} "
            f"({place.machine.memory / 1e6:.0f} MB less {place.board.reserve_mib * 2**20 / 1e6:.0f} for the "
            f"system, board {place.board.id}), it needs {need / 1e6:.0f} MB; take a smaller bundle or more "
            "memory",
        )
