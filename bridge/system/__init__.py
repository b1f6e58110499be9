"""The operating system: the process, thread priority, files and network addresses."""
