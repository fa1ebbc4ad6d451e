//! Runs compiled graphs: a pure scheduler and an async driver for task regions.
