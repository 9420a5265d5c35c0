"""One process of a fine-tuning run of the tiny model: python ddp_run.py DATA OUT."""

import sys
from pathlib import Path

from yochi_train.sft import train

from tests.train.made import tiny_slots
from tests.train.sft_data import settings_of

if __name__ == "__main__":
    data, out = map(Path, sys.argv[1:])
    train(settings_of(data, packs=2, precision="fp32"), tiny_slots(), out)
