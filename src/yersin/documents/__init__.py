"""Typeset PDF documents and their PAdES signatures."""
