"""Tests of the exports of takes."""
