"""Answer, outline and verdict as documents: PDF, DICOM objects, FHIR. No torch, no widgets."""
