"""Style sheets, layout presets, themes and keymaps: data, read with `importlib.resources.files("layouts")`."""
