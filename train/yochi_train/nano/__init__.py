"""`yochi-nano` as an ordinary Hugging Face model: configuration, model, processor."""

from .configuration import YochiNanoConfig
from .model import YochiNanoForConditionalGeneration
from .processor import YochiNanoProcessor

__all__ = ["YochiNanoConfig", "YochiNanoForConditionalGeneration", "YochiNanoProcessor"]
