"""How the sample was made: pictures, topology, training, channel gains, ONNX."""
