"""Model files -> the float graph: `importer.load` is the way in; the libraries it needs are imported when it is called."""
