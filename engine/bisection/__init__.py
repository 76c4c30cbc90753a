"""Bisection of a project: the live engine, or a program of the user's, answers what the search asks; nothing answered is ever lost."""
