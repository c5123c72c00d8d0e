//! From one set of definitions to another: the plan, and what may be started and killed at each moment of it.
