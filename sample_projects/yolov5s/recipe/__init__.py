"""How the sample was made: pictures, topology, training, ONNX, detections and their precision."""
