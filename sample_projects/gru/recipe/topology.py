"""What training, the ONNX writer and the stream agree on: sizes, and the names of the tensors a user sees."""

BANDS, CHANNELS, STATE = 16, 32, 128
# (channels in, channels out, kernel): each encoder layer halves the bins, each decoder layer but the last reads a shortcut as well
ENCODER = ((3, 16, 5), (16, 24, 5), (24, 32, 3), (32, CHANNELS, 3))
DECODER = ((CHANNELS + 32, 24, 3), (24 + 24, 16, 3), (16 + 16, 16, 3), (16, 8, 5))
SPECTRUM, FEATURES, LAST_STATE, NEW_STATE, GAIN = "spectrum", "740", "last_state_tgru", "new_state_tgru", "580"
