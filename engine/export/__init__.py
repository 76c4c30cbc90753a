"""What a conversion leaves behind: the model file, its C header, the dumps."""
