//! Resource arithmetic, and who gets what.
