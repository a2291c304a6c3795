"""TumorViewer: review brain-tumour studies with a classifier and its saliency map."""

__version__ = "0.1.0"
