"""Asynchronous edge-ADMM (Li & He 2020, arXiv 2010.07916, section 4): exchanges between two neighbours."""

from testbed.consensus.edge_admm.algorithm import EdgeADMM

__all__ = ["EdgeADMM"]
