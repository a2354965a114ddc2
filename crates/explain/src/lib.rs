//! Views of what a tape holds: listings and pictures.
