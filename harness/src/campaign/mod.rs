//! Schedule, journal and resume; drives trials for a strategy.
