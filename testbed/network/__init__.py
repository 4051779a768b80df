"""A discrete-event network (SimPy): links, impairments, faults, transports, ledger and trace."""
