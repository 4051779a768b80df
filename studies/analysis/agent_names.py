"""Names of the agents of a study, from the files of its graphs."""

from __future__ import annotations

from studies.spec.manifest import StudyRecord
from studies.storage.store import Store


def shared(study: StudyRecord, store: Store) -> dict[int, str]:
    """The name of each agent, if the graphs of all finished trials give the same ones; otherwise empty.

    The names are those of the table ``names``; see :func:`testbed.workloads.network_tables.names_table`.
    """
    having = store.having(study, "names")
    if not having or len(having) < sum(store.status(trial) == "finished" for trial in study.trials):
        return {}
    table = store.curve(study, "names")
    each = [
        dict(zip(rows["agent"].astype(int), rows["name"], strict=True))
        for _, rows in table.groupby("trial", sort=False)
    ]
    return each[0] if all(names == each[0] for names in each) else {}
