#!/bin/sh
# Convert the model for the T41. Paths, here and in the configuration, start at this folder.
set -eu
CDPATH= cd -- "$(dirname -- "$0")"
PATH="$PATH:$PWD/../../.venv/bin"

magik-transform-tools \
    -i resnet18-digits.onnx \
    -o ./venus_sample_resnet18/resnet18_t41_magik.mk.h \
    -cfg ./cfg/magik_t41.cfg \
    --save_quantize_model true
