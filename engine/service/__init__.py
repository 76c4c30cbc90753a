"""What the worker answers besides running and cancelling: one file per request, named after it.

A module has `LANE`, `Fields` (what the request says, with its types) and `answer(context, fields, report)`, which returns what is sent as
the result. Adding a request is adding a file.
"""
