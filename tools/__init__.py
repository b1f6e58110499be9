"""Programs that make what is shipped or documented; run from the checkout, not in the wheel."""
