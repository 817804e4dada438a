//! Allocators and their settings: names, ranges, environment variables, effects, with sources.
