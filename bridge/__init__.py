"""CSTalk Bridge: a voice moves a MetaHuman, live."""
