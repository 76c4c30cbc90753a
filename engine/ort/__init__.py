"""The border to onnxruntime: the only rooms that import it, besides the front end that folds constants with it."""
