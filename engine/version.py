"""The version of the engine, as a plain value: the commands and the worker's greeting say it before anything heavy loads."""

VERSION = "0.1.0"
