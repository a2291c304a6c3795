"""Published protocols, each a TOML file, done again."""
