#!/bin/sh
# Convert the model for the T41. Paths, here and in the configuration, start at this folder.
set -eu
CDPATH= cd -- "$(dirname -- "$0")"
PATH="$PATH:$PWD/../../.venv/bin"

magik-transform-tools \
    --outputpath ./venus_sample_gru/gru_t41_magik.mk.h \
    --inputpath ./model.onnx \
    --config ./cfg/magik_t41.cfg
