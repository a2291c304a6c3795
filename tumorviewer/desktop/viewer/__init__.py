"""The images: viewports, layouts, hanging protocols, links between views, saliency maps."""
