"""A benchmark of what a method of decentralised learning loses when its network fails: ``testbed suite``.

A version of the suite is a folder of files that a person can read, ``studies/suites/consensus-suite-1``: a
study file for each task, the conditions, the sizes, the scores and the reference method. Its hash covers all
of them. ``definition`` reads them, ``methods`` and ``user_methods`` find the methods, ``plan`` makes an
ordinary study of each task by each method, ``running`` runs them in the ordinary way, ``rows`` reads their
results, ``centre`` charges the exact optimum, ``score`` compares, ``table``, ``heat_maps``, ``profiles`` and
``page`` show, and ``submission`` checks the results of others.
"""
