"""The commands that need no screen: the only room of the engine that may import click and rich."""
