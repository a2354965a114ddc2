//! Embedded data sets, splits and batches.
