"""How the sample was made: sounds, network, training, ONNX, streaming."""
