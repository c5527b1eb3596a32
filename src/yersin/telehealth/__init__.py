"""Consultations from a commune station to a hospital: ask, answer, meet, conclude."""
