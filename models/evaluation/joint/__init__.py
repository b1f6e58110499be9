"""One judge that looks at expression, gaze and head together."""
