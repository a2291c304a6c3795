"""How far an answer may be believed: prediction sets, kind of image, checks of maps, evidence."""
