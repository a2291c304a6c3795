"""How a model is run: by torch, on any device and with every method, or by ONNX Runtime."""
