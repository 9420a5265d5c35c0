"""The model that a run's settings name, with the pack that its records were made with."""

import torch

from .assemble import assemble
from .nano.slots import NanoSlots
from .packs import factors_file
from .settings import PolicySettings
from .slot_model import SlotModel
from .vlm.slots import VlmSlots


def open_model(settings: PolicySettings) -> SlotModel:
    """yochi-nano put together anew, or a vision-language model. UsageError where it cannot be opened."""
    torch.manual_seed(settings.seed)  # the projector's first weights
    pack = factors_file(settings.records)
    if settings.model is None:
        return NanoSlots(*assemble(pack))
    return VlmSlots.open(settings.model, pack)
