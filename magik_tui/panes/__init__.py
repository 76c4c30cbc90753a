"""The panes: one file each. `registry` finds them, `base` is what they have in common; how to add one is in docs/architecture.md."""
