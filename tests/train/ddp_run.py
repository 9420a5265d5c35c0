"""One process of a fine-tuning run of the tiny model: python -m tests.train.ddp_run DATA OUT SECONDS."""

import faulthandler
import sys
from pathlib import Path

if __name__ == "__main__":
    # One that waits for the other in vain tells where, and ends; before the imports, which are most of it.
    faulthandler.dump_traceback_later(float(sys.argv[3]), exit=True)

    from yochi_train.sft import train

    from tests.train.made import tiny_slots
    from tests.train.sft_data import settings_of

    data, out = map(Path, sys.argv[1:3])
    train(settings_of(data, packs=2, precision="fp32"), tiny_slots(), out)
