"""The stages of a conversion that go over samples: calibration and measurement."""
