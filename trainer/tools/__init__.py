"""What every wing uses: files, progress, options and parallel work."""
