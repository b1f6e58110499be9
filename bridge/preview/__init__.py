"""The preview: a web page on this machine that shows faces, live and from recordings."""
