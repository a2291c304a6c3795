"""DICOM: files to headers, headers to frames, frames to stacks, stacks to volumes."""

from tumorviewer.study.dicom.studies import Collector

__all__ = ["Collector"]
