"""Contact sheets: predicted faces as pictures, to be judged by eye.

Every kind of sheet yields (name, `Sheet`); `draw` writes them as PNG files."""
