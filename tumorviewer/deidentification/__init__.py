"""Patients' identities out of DICOM files, as PS3.15 Annex E lays down. No torch, no Qt."""
