"""The measures: pure functions of arrays `[time, channels]`, without files, clocks or torch."""
