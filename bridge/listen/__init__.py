"""The receiving side: which streams of faces arrive here, and how well."""
