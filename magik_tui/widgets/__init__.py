"""Line-API widgets: they redraw the lines that changed, and nothing else."""
