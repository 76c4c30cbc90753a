"""Diagnosis of a project: the guide's chapter 3.3 walked on the live engine, every step of it measured."""
