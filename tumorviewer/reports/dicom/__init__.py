"""DICOM objects that hold a result, each kind in a series of its own beside the source's."""
