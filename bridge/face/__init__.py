"""From audio input to the face of one subject at any instant."""
