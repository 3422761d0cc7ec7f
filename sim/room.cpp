// Placeholder so that the library has a source; goes with the first real one.
