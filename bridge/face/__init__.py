"""From heard sound to a face at any instant."""
