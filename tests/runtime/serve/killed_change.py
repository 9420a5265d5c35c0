"""Changes mode or rulebook or sets up, killed (SIGKILL) before the first change to files, the second ...

    python killed_change.py BOX WORK mode|rules|setup

BOX holds `rules.toml` and what was kept beside its log. Each attempt has a copy, WORK/1, WORK/2 ...; the last
was not killed.
"""

import sys
from pathlib import Path

from yochi_runtime.audit.log import AuditLog
from yochi_runtime.judge import Judge
from yochi_runtime.mode import Mode
from yochi_runtime.plant_rules import PlantRules
from yochi_runtime.rule_file import read_rules
from yochi_runtime.rules_in_force import RulesInForce
from yochi_runtime.serve.changes import FIRST_RUN, Changes, Chosen
from yochi_runtime.serve.desk import Desk
from yochi_runtime.serve.kept import KeptFile
from yochi_runtime.serve.made_tokens import TokensFile, make_tokens

from tests.runtime.killed_update import at_every_change
from tests.runtime.rulebooks import MINIMAL, PACK

RULES = MINIMAL
CHOSEN: dict[Chosen, str] = {"language": "ja", "note": "床を掃く。", "camera": "0"}


def rules_of(box: Path, kept: KeptFile) -> RulesInForce:
    """As a service takes them up at its start."""
    file = box / "rules.toml"
    rules = RulesInForce(PlantRules(read_rules(file, PACK)), file, lambda _: None)
    rules.resume(kept.kept.rules, lambda _: None)
    return rules


def once(box: Path, what: str) -> None:
    kept = KeptFile(box / "audit.db")
    with AuditLog(box / "audit.db") as log:
        desk = Desk(Judge.open, log)
        changes = Changes(desk, rules_of(box, kept), kept, None, box / "audit.db")
        if what == "mode":
            changes.change_mode(Mode.SHADOW, None)
        elif what == "setup":
            for item, value in CHOSEN.items():
                changes.choose(item, value, FIRST_RUN)
            changes.keep_tokens(TokensFile(box / "audit.db"), make_tokens(), FIRST_RUN)
        else:
            changes.roll_back_rules()


def main() -> None:
    box, work, what = sys.argv[1:]
    at_every_change(Path(box), Path(work), lambda own: once(own, what))


if __name__ == "__main__":
    main()
