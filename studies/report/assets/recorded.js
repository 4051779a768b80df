// The data of the replay, and queries on it.

/** What was in store at a place of the events; see the page's data for what the columns mean. */
class Recorded {
  constructor(replay) {
    Object.assign(this, replay);
    this.end = this.times.at(-1);
    this.begin = this.times[0];
    this.places = new Map(); // sort of event -> its places, ascending
    this.word.forEach((word, k) => {
      const sort = this.words[word][0];
      if (!this.places.has(sort)) this.places.set(sort, []);
      this.places.get(sort).push(k);
    });
    this.apart = this.names.map(() => [[], []]);
    const [places, agents, values] = this.agents.length ? this.agents : [[], [], []];
    places.forEach((place, k) => {
      this.apart[agents[k]][0].push(place);
      this.apart[agents[k]][1].push(values[k]);
    });
    // Colours go from the least to the greatest distance, by its logarithm, over three decades at most.
    this.most = values.reduce((a, b) => Math.max(a, b), 0);
    this.least = Math.max(
      values.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), this.most),
      this.most / 1000,
    );
    this.link = new Map();
    this.links.forEach(([u, v], k) => this.link.set(`${u} ${v}`, k).set(`${v} ${u}`, k));
  }

  /** Simulated seconds at a place, which may lie between two events. */
  time(place) {
    const k = Math.floor(place);
    const [from, to] = [this.times[k], this.times[Math.min(k + 1, this.last)]];
    return from + (place - k) * (to - from);
  }

  /** The place of a time. */
  place(time) {
    const k = Math.max(upTo(this.times, time) - 1, 0);
    if (k >= this.last) return this.last;
    const [from, to] = [this.times[k], this.times[k + 1]];
    return k + (to > from ? Math.min((time - from) / (to - from), 0.999999) : 0);
  }

  /** How far an agent is from its neighbours. */
  disagreement(agent, place) {
    const [places, values] = this.apart[agent];
    const k = upTo(places, place) - 1;
    return k < 0 ? 0 : values[k];
  }

  /** How many events of a sort there were. */
  count(sort, place) {
    return upTo(this.places.get(sort) ?? [], place);
  }

  /** An event in words. */
  wordsOf(k) {
    const named = (agent) => (this.labels ? ` (${this.labels[this.names.indexOf(agent)]})` : "");
    const name = (agent) => `agent ${agent}${named(agent)}`;
    const [sort, words] = this.words[this.word[k]];
    if (sort === "fault") return words; // with the name of a fault, in which nothing is to be replaced
    // In one pass, by a function: names may hold braces and dollar signs.
    const text = words.replace(/\{([ab])\}/g, (_, end) => name(this[end][k]));
    return capital(text);
  }
}

/** How long half of the messages that arrived were under way, in seconds. */
function usualFlight(r) {
  const times = r.flights
    .filter(([, , , , , , fate]) => fate === "delivered")
    .map(([, , , first, last]) => r.times[last] - r.times[first]);
  const positive = times.filter((time) => time > 0).sort((a, b) => a - b);
  return positive.length ? positive[positive.length >> 1] : (r.end - r.begin) / 100;
}

/** Spans of an axis, those that meet made one. */
function joined(spans) {
  const found = [];
  for (const [from, to] of spans.sort(([a], [b]) => a - b)) {
    if (found.length && from <= found.at(-1)[1]) found.at(-1)[1] = Math.max(found.at(-1)[1], to);
    else found.push([from, to]);
  }
  return found;
}
