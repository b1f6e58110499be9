"""Export of takes to files of other programs."""
