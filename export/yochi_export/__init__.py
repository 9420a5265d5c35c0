"""From a training run to a bundle: ONNX, GGUF, quantization, calibration, parity, packing."""
