"""Imports heads from data sets that stay with the user: ICT-FaceKit and MakeHuman."""
