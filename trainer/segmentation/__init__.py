"""Training and judging networks that outline: from masks or boxes, on images and volumes."""
