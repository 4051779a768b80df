"""Studies for the tests of reports: run here, in a second, or made up."""

import json
import re
from html.parser import HTMLParser

from studies.execution import runner
from studies.spec.loading import load
from studies.storage.store import Store

LOSSY = """\
question: What do lost messages cost?
workload: problem
problem: {name: mean, agents: 4, dimension: 3}
network:
  link: {delay: 20ms, loss: 0.3}
  faults:
    - {link: "0-1", down: 200ms, up: 1s}
    - {fault: crash, agent: 2, down: 1s, up: 1500ms}
consensus: {activation: poisson, timeout: 100ms, budget: {activations: 60}}
vary: {topology: [ring, star], consensus.penalty: [1, 2]}
seeds: 2
"""

UPDATE = """\
workload: update
environment: {name: navigation, agents: 3, episode_length: 10}
algorithm: {name: matrpo, hidden: [8, 8]}
network: {link: {delay: 5ms, loss: 0.2}}
consensus: {budget: {activations: 12}}
update: {samples: 40}
vary: {consensus.penalty: [1, 5]}
"""

TRAINING = """\
workload: training
environment: {name: navigation, agents: 3, episode_length: 10}
algorithm: {name: matrpo, hidden: [8, 8]}
network: {link: {delay: 5ms, loss: 0.2}}
consensus: {budget: {activations: 4}}
training: {updates: 2, samples: 40}
vary: {algorithm.name: [matrpo, itrpo]}
seeds: 2
"""

FAULTS = """\
question: What do a partition and a crash cost?
workload: training
environment: {name: navigation, agents: 3, episode_length: 10}
algorithm: {name: matrpo, hidden: [8, 8]}
network:
  link: {delay: 5ms, loss: 0.1}
  faults:
    - {fault: partition, groups: [[0], [1, 2]], down: {update: 3}, up: {update: 6}}
    - {fault: crash, agent: 1, down: {update: 5}, up: {update: 6}}
consensus: {budget: {activations: 8}}
training: {updates: 8, samples: 40}
seeds: 2
"""


def run(path, folder, trials=None):
    """Runs a study, or the first trials of it, in this process; returns it and its store."""
    study, store = load(str(path)), Store(folder)
    store.remember(study)
    for trial in study.trials[:trials]:
        runner.perform(runner.Task(trial, store.folder, {"commit": "c" * 40}), lambda *_: None)
    return study, store


class Page(HTMLParser):
    """A report taken apart.

    Attributes:
        elements: ``(tag, attributes)`` of all.
        texts: tag -> texts of the elements of this kind.
        rows: id of a table -> its rows, each a list of ``(text, data-v)``.
        data: what the script is given.
    """

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.rows = [], {}, {}
        self._inside, self._table = [], None
        self.feed(text)
        self.close()
        self.data = json.loads(self.texts["script"][0])

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        if tag in ("meta", "link", "input", "img"):
            return
        self._inside.append(tag)
        self.texts.setdefault(tag, []).append("")
        if tag == "table":
            self._table = self.rows[attributes["id"]] = []
        elif tag == "tr":
            self._table.append([])
        elif tag in ("td", "th"):
            self._table[-1].append(["", attributes.get("data-v")])

    def handle_endtag(self, tag):
        assert self._inside.pop() == tag

    def handle_data(self, text):
        for tag in self._inside:
            self.texts[tag][-1] += text
        if {"td", "th"} & set(self._inside):
            self._table[-1][-1][0] += text

    def records(self, name):
        """The rows of a table, by the words in its head; of words that are there twice a list."""
        head, *body = self.rows[name]
        found = []
        for row in body:
            record = {}
            for (title, _), cell in zip(head, row, strict=True):
                record.setdefault(title, []).append((cell[0], cell[1] and float(cell[1])))
            found.append(record)
        return found


def read(file):
    """A report from its file."""
    return Page(file.read_text(encoding="utf-8"))


def style(file):
    """The style of a report."""
    return re.search(r"<style>(.*?)</style>", file.read_text(encoding="utf-8"), re.DOTALL)[1]
