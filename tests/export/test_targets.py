"""What a target asks for, by the memory and the engine of its board."""

import pytest
from yochi_devices.board import chosen_board
from yochi_export.rungs import LanguageRung, VisionRung
from yochi_export.targets import BOARDS, MIB, Target, choose
from yochi_runtime.errors import UsageError
from yochi_runtime.fitting import OVERHEAD

GB = 10**9


@pytest.mark.parametrize("target", Target)
def test_every_target_takes_nano_and_says_why_in_one_line(target: Target) -> None:
    found = choose(target, 26_000_000, 271_000_000, fixed=True)
    board = chosen_board(BOARDS[target])
    assert board.memory_mib is not None
    assert found.budget == (board.memory_mib - board.reserve_mib) * MIB
    assert found.language is None
    assert found.vision[-1] is VisionRung.FP16
    assert (VisionRung.STATIC in found.vision) is (target is not Target.CUDA)
    assert found.why.startswith(f"target {target}: ")
    assert "\n" not in found.why
    assert "847 needed" in found.why  # 26 + 271 + 550 MB


def test_the_nearest_language_that_fits_is_taken() -> None:
    """A Raspberry Pi 5: (4096 - 500) MiB = 3771 MB, less 550 for the rest and 100 for vision: 3121 MB.

    Of 6 GB in F16 Q8_0 are 3188 MB, Q6_K 2464 MB.
    """
    assert choose(Target.PI, 100_000_000, 6 * GB, fixed=False).language is LanguageRung.Q6_K
    assert choose(Target.PI, 100_000_000, 5 * GB, fixed=False).language is LanguageRung.Q8_0
    assert choose(Target.CUDA, 100_000_000, 6 * GB, fixed=False).language is LanguageRung.F16
    assert OVERHEAD == 550_000_000


def test_what_does_not_fit_at_its_smallest_is_refused_with_the_numbers() -> None:
    with pytest.raises(UsageError, match=r"fits raspberry-pi-5, got one that needs 6400 MB at its smallest"):
        choose(Target.PI, 100_000_000, 20 * GB, fixed=False)
    with pytest.raises(UsageError, match="at its smallest"):
        choose(Target.PI, 26_000_000, 4 * GB, fixed=True)
