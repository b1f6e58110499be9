"""What the program lends to `models.evaluation`: the life of its faces."""
