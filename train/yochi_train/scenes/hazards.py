"""The hazards of a scene: every one a switch, with what has to stand there and what has to be seen of it.

`evidence` are keys of scene objects (`worker/head`; `worker` means all of its objects). A hazard is seen when
each of them is: a missing guard shows in the bare rollers, a blocked exit in the exit and in what blocks it.
"""

from dataclasses import dataclass
from types import MappingProxyType

from yochi_runtime.taxonomy import Source


@dataclass(frozen=True)
class Hazard:
    """A switch. `station` must be in the scene for it to mean anything; "" is the bare floor, always there.

    A hazard of the picture shows as `cue`; one of the words in it has none, its slot is that of its category.
    """

    id: str
    category: str
    station: str
    evidence: tuple[str, ...]
    cue: str = ""

    @property
    def source(self) -> Source:
        return Source.IMAGE_CONTENT if self.cue else Source.IMAGE_TEXT

    @property
    def slot(self) -> str:
        """Id of the slot of a pack that it stands for."""
        return f"cue:{self.cue}" if self.cue else f"{self.source}:{self.category}"


HAZARDS: tuple[Hazard, ...] = (
    Hazard("guard_missing", "mechanical", "machine", ("machine/nip",), "guard_missing"),
    Hazard("reach_over_conveyor", "mechanical", "conveyor", ("operator", "conveyor"), "reaching_in"),
    Hazard("exit_blocked", "egress", "exit", ("exit", "exit_crates"), "exit_blocked"),
    Hazard(
        "extinguisher_blocked",
        "egress",
        "extinguisher",
        ("extinguisher", "extinguisher_crates"),
        "extinguisher_blocked",
    ),
    Hazard("spill", "slip_trip", "", ("spill",), "spill"),
    Hazard("trailing_cable", "slip_trip", "", ("cable",), "trailing_cable"),
    Hazard("panel_open", "electrical", "panel", ("panel/inside",), "panel_open"),
    Hazard("person_on_ladder", "fall", "ladder", ("climber", "ladder"), "person_on_ladder"),
    Hazard("stack_unstable", "load", "stack", ("stack",), "stack_unstable"),
    Hazard("load_over_person", "load", "crane", ("load", "rigger"), "load_over_person"),
    Hazard("forklift_near_person", "vehicle", "forklift", ("forklift", "walker"), "forklift_near_person"),
    Hazard("lane_missing", "vehicle", "forklift", ("forklift",), "lane_missing"),
    Hazard("no_helmet", "ppe", "worker", ("worker/head",), "no_hard_hat"),
    Hazard("no_vest", "ppe", "worker", ("worker/torso",), "no_vest"),
    Hazard("cylinder_unsecured", "stored_energy", "cylinder", ("cylinder",), "cylinder_unsecured"),
    Hazard("smoke", "thermal_fire", "bin", ("smoke",), "smoke"),
    Hazard("fire", "thermal_fire", "bin", ("fire",), "fire"),
    Hazard("sign_missing", "electrical", "panel", ("panel",), "sign_missing"),
    Hazard("sign_contradicting", "egress", "exit", ("exit/contradiction",), "sign_contradicting"),
    Hazard("steering_sign", "steering_text", "board", ("board/text",)),
)
BY_ID = MappingProxyType({hazard.id: hazard for hazard in HAZARDS})

# Cues that the pack `factory` does not have yet. A scene's truth names them all the same; a record keeps the
# slots that its pack knows. Whoever adds one to the pack takes it out here.
NOT_IN_PACK: tuple[str, ...] = (
    "reaching_in",
    "extinguisher_blocked",
    "trailing_cable",
    "person_on_ladder",
    "stack_unstable",
    "load_over_person",
    "forklift_near_person",
    "lane_missing",
    "cylinder_unsecured",
    "sign_missing",
    "sign_contradicting",
)

# Neutral cues of the pack and the object keys that show them, hazard or not.
PEOPLE: tuple[str, ...] = ("worker", "operator", "climber", "rigger", "walker")
NEUTRAL = MappingProxyType(
    {
        "person": PEOPLE,
        "hard_hat": tuple(f"{person}/helmet" for person in PEOPLE),
        "no_head_wear": ("worker/head/hair",),
        "forklift": ("forklift",),
        "conveyor": ("conveyor",),
        "pallet": ("pallet",),
    }
)
# No scene ever holds one: known to be absent.
NEVER: tuple[str, ...] = ("crusher", "excavator", "wheel_loader", "dump_truck")
