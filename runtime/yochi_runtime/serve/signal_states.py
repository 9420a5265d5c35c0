"""How it stands with each sink and output of the plant, for the engineer, and in one word for the worker."""

from yochi_devices.plant.line import Line

from .engineer_given import SignalState
from .given import SignalShown

UNREAD = "expected to read the outbox, could not; mend the disk or remove it"


def signal_states(line: Line | None) -> tuple[SignalState, ...]:
    """Of every sink, then of every output; empty where nothing leaves the box."""
    if line is None:
        return ()
    waiting = line.waiting()
    return tuple(
        SignalState(
            name=state.name,
            taken=state.taken,
            fault=state.fault
            or (UNREAD if state.name in line.kept_for and state.name not in waiting else None),
            waiting=waiting[state.name].messages if state.name in waiting else None,
            missed=waiting[state.name].missed if state.name in waiting else None,
        )
        for state in line.states()
    )


def in_a_word(state: SignalState) -> SignalShown:
    """A fault, and a message that found no room, come before what only waits.

    An output that was never driven waits, too: it has not been reached yet.
    """
    if state.fault is not None or state.missed:
        standing, waiting = "failed", state.waiting
    elif state.waiting or (state.waiting is None and state.taken == 0):
        standing, waiting = "waiting", state.waiting
    else:
        standing, waiting = "in_order", None
    return SignalShown(name=state.name, standing=standing, waiting=waiting)
