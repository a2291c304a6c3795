"""Volume to picture: windowing, orientation, colour maps, overlays, thumbnails. No Qt, no torch."""
