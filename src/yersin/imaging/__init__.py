"""DICOM files and other images."""
