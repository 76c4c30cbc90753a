"""What the parts of the screen say, as functions from the state to lines of text and roles."""
