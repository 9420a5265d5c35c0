"""One process of a fine-tuning run of the tiny model: python -m tests.train.ddp_run DATA OUT SECONDS CHANGES.

Each tells in OUT how many weights it holds in part.
"""

import faulthandler
import json
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    # One that waits for the other in vain tells where, and ends; before the imports, which are most of it.
    faulthandler.dump_traceback_later(float(sys.argv[3]), exit=True)

    from torch.distributed.tensor import DTensor
    from yochi_train.sft import train

    from tests.train.made import tiny_slots
    from tests.train.sft_data import settings_of

    data, out = map(Path, sys.argv[1:3])
    model = tiny_slots()
    train(settings_of(data, **json.loads(sys.argv[4])), model, out)
    parts = sum(isinstance(p, DTensor) for p in model.language.parameters())
    (out / f"parts-{os.environ['RANK']}").write_text(str(parts), encoding="utf-8")
