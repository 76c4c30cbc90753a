"""The workbench in the terminal: it shows what the engine's worker says, and computes nothing itself."""
