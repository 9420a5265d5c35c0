"""The architectures that Yochi knows, each in a file of its own: a new one is a file and its name here."""

from ..family import Family
from .idefics3 import IDEFICS3, SMOLVLM
from .llava import LLAVA
from .qwen_vl import QWEN2_5_VL, QWEN3_VL

FAMILIES: dict[str, Family] = {
    family.model_type: family for family in (IDEFICS3, SMOLVLM, LLAVA, QWEN2_5_VL, QWEN3_VL)
}
