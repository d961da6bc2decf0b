//! Eyes: turns the outside world into one sighting.
