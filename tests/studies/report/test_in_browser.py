"""Reports in a real browser: a headless Chromium opens them from disk and uses them as people do.

They are skipped on a machine without Chromium or Chrome.
"""

import itertools
import time
from importlib import resources
from pathlib import Path

import chromium
import made_up_series
import numpy as np
import pytest
import reported
from chromium import PATIENCE

from studies import report
from studies.figures import ticks
from studies.formatting import minus, with_interval
from studies.report.numbers import figure

pytestmark = pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)


@pytest.fixture(scope="module")
def browser():
    with chromium.launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The report of a study of four conditions with losses, an outage and a crash."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "lossy.yaml").write_text(reported.LOSSY)
    _, store = reported.run(folder / "lossy.yaml", folder / "out")
    return report.write(store.folder).file


@pytest.fixture
def visit(browser, file):
    """Opens the report; whatever it then says or asks for beyond itself fails the test."""
    contexts, said, asked, opened = [], [], [], set()

    def visit(fragment="", width=1200, of=file, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        opened.add(of.as_uri())
        page.goto(f"{of.as_uri()}{fragment}")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert said == []
    assert {url.partition("#")[0] for url in asked} == opened


def colours(page):
    return page.evaluate(
        "[getComputedStyle(document.documentElement)].map(s => [s.backgroundColor, s.color])[0]"
    )


def selected(page):
    """The numbers of the trials whose rows are marked."""
    rows = page.locator("#trials tr[aria-current=true] th").all()
    return sorted(int(row.inner_text().split()[0]) for row in rows)


def until(page, holds):
    """Waits, a frame at a time, for what the page does by itself; it forbids Playwright's way to wait."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"it did not happen within {PATIENCE} seconds"
        page.evaluate("new Promise(requestAnimationFrame)")


def replayed(page):
    """What the replay that is opened first is made from."""
    replay = page.evaluate("JSON.parse(document.getElementById('data').textContent).replay")
    return replay["recordings"][replay["opened"]]


def scrub(page, seconds):
    """Moves the slider to a simulated time."""
    times = replayed(page)["times"]
    page.locator("#replay-time").fill(str(1000 * (seconds - times[0]) / (times[-1] - times[0])))


def moment(page):
    """The event that the replay shows."""
    return int(page.locator(".console output").inner_text().split("event ")[1].split(" of")[0])


def test_it_opens_from_disk_and_shows_its_charts(visit):
    page = visit()
    assert page.locator("h1").inner_text() == "What do lost messages cost?"
    labels = [each.get_attribute("aria-label") for each in page.locator(".chart svg").all()]
    assert labels[0].startswith(
        "Line chart of relative distance to the optimum against activations; geometric mean"
    )
    assert "ring, penalty β 1: " in labels[0]
    assert labels[1].startswith("Chart of relative distance to the optimum, at the end; ")
    assert page.locator("#curves .line").count() == 4
    assert page.locator("#finals .interval").count() == 4
    assert page.locator("#finals .dot").count() == 8


def test_the_measure_and_the_axis_can_be_chosen_and_colours_switched_off(visit):
    page = visit()
    measure, axis = page.locator("#curves select").all()
    measure.select_option(label="relative disagreement")
    axis.select_option("seconds")
    label = page.locator("#curves svg").get_attribute("aria-label")
    assert label.startswith("Line chart of relative disagreement against simulated time (s)")
    page.get_by_role("button", name="star").click()
    assert page.locator("#curves .line").count() == 2
    assert page.locator("#finals .interval").count() == 2
    page.get_by_role("button", name="star").click()
    assert page.locator("#curves .line").count() == 4


def test_each_link_has_a_strip_of_its_drops_by_reason(visit):
    page = visit()
    condition, quantity = page.locator("#series select").all()
    links = page.evaluate("JSON.parse(document.getElementById('data').textContent).series.links")
    assert page.locator("#agents-figure").count() == 0  # a problem has no returns
    rows = page.locator("#links tbody tr")
    for place in (0, 3):
        condition.select_option(str(place))
        for number, (name, totals, cells) in enumerate(links["conditions"][place]["links"]):
            row = rows.nth(number)
            assert row.locator("th").inner_text() == name
            assert [each.inner_text() for each in row.locator("td.number").all()] == [
                figure(total, "count") for total in totals
            ]
            assert row.locator(".hot").count() == sum(value is not None and value > 0 for value in cells[0])
    quantity.select_option(label="dropped: link_down")
    assert "dropped: link_down" in page.locator("#links thead").inner_text()
    hot = page.locator("#links .hot title").all_text_contents()
    assert hot
    assert all(text.startswith(("0>1, activation", "1>0, activation")) for text in hot)
    page.locator("#series summary").click()
    until(page, lambda: page.locator("#series .numbers tbody tr").count() == len(hot))


def test_the_curves_of_agents_follow_the_chosen_condition(browser, tmp_path):
    _, store = made_up_series.store_made_up(tmp_path, updates=12)
    file = report.write(store.folder, replayed=False).file
    context = browser.new_context(viewport={"width": 390, "height": 900})
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(file.as_uri())
    condition, measure, agents, _ = page.locator("#series select").all()
    assert page.locator("#agents-figure .line").count() == 3
    first = page.locator("#agents-figure .line").first.get_attribute("d")
    condition.select_option("1")
    assert page.locator("#agents-figure .line").first.get_attribute("d") != first
    measure.select_option(label="entropy of the agent's policy (nats)")
    label = page.locator("#agents-figure svg").get_attribute("aria-label")
    assert label.startswith("Line chart of entropy of the agent's policy (nats) by agent. agent 0: from ")
    agents.select_option("1")
    assert page.locator("#agents-figure .line").count() == 1
    assert "by agent. agent 1: from " in page.locator("#agents-figure svg").get_attribute("aria-label")
    page.goto(f"{file.as_uri()}#condition=0")
    until(page, lambda: condition.input_value() == "0")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    context.close()
    assert said == []


def test_the_numbers_of_a_chart_are_there_as_a_table(visit):
    page = visit()
    page.locator("#finals summary").click()
    until(page, lambda: page.locator("#finals tbody tr").count() == 4)
    rows = [row.inner_text().split("\t") for row in page.locator("#finals tbody tr").all()]
    assert [row[0] for row in rows] == [f"{t}, penalty β {p}" for t in ("ring", "star") for p in (1, 2)]
    for _, value, interval, seeds in rows:
        low, high = map(float, interval.split(" to "))
        assert low <= float(value) <= high
        assert seeds == "2"


def test_tables_sort_by_their_heads_and_say_so(visit):
    page = visit()
    head = page.locator("#trials th", has_text="relative distance to the optimum")
    place = page.locator("#trials thead th").all_inner_texts().index(head.inner_text()) + 1

    def column():
        cells = page.locator(f"#trials tbody tr > :nth-child({place})").all()
        return [float(cell.get_attribute("data-v")) for cell in cells]

    before = column()
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert column() == sorted(before) != before
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert column() == sorted(before, reverse=True)


def test_a_point_selects_its_trials_and_the_address_says_so(visit):
    page = visit()
    first = page.locator("#finals .dot").first
    first.click()
    assert len(selected(page)) == 1
    trial = page.locator("#trials tr[aria-current=true]").get_attribute("data-key")
    assert page.url.endswith(f"#{trial}")
    again = visit(f"#{trial}")
    assert selected(again) == selected(page)
    assert again.locator("#curves .run").count() == 1
    page.locator("#finals .marker").last.click()
    assert selected(page) == [7, 8]
    assert "condition=3" in page.url
    page.go_back()
    assert len(selected(page)) == 1


def test_a_row_leads_to_its_curve_and_only_the_selected_can_be_shown(visit):
    page = visit()
    page.locator("#trials a").nth(2).click()
    until(page, lambda: selected(page) == [3])
    key = page.locator("#trials tr[aria-current=true]").get_attribute("data-key")
    assert page.locator("#curves .run").get_attribute("data-trial") == key.removeprefix("trial=")
    page.get_by_role("button", name="Only these").click()
    until(page, lambda: page.locator("#trials tbody tr:visible").count() == 1)
    page.get_by_role("link", name="Select nothing").click()
    until(page, lambda: page.locator("#trials tbody tr:visible").count() == 8)
    until(page, lambda: selected(page) == [])
    page.locator("#statistics a").nth(1).click()
    until(page, lambda: selected(page) == [3, 4])


def test_the_keyboard_reaches_all_of_it_and_moves_through_a_chart(visit):
    page = visit()
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "(e => e.id || e.getAttribute('aria-label') || e.textContent.trim())(document.activeElement)"
            )
        )
        if page.evaluate("document.activeElement.classList.contains('chart')"):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid"
        if "replay-time" in reached:
            break
    assert reached[0] == "Skip to the answer"
    for name in (
        "scheme",
        "ring",
        "Arrow keys move between points, Enter selects the trials of a point",
        "replay-time",
    ):
        assert name in reached, name
    page.locator("#curves .chart").focus()
    page.keyboard.press("End")
    tip = page.locator("#curves .tip")
    assert tip.is_visible()
    last = tip.inner_text()
    assert last.startswith("ring, penalty β 1\nactivations: ")
    page.keyboard.press("ArrowLeft")
    assert tip.inner_text() != last
    assert tip.inner_text().startswith("ring, penalty β 1\n")
    page.keyboard.press("ArrowDown")
    assert not tip.inner_text().startswith("ring, penalty β 1\n")
    assert page.locator("#curves .unseen").inner_text() == tip.inner_text().replace("\n", ", ")
    page.keyboard.press("Enter")
    until(page, lambda: len(selected(page)) == 2)


def test_a_pointer_near_a_point_shows_it(visit):
    page = visit()
    page.locator("#finals .marker").first.hover()
    tip = page.locator("#finals .tip")
    assert tip.is_visible()
    assert "interval" in tip.inner_text()
    assert "2 seeds" in tip.inner_text()


def test_the_replay_plays_steps_and_scrubs(visit):
    page = visit()
    assert moment(page) == 1
    page.locator("#replay-play").click()
    until(page, lambda: moment(page) > 3)
    page.locator("#replay-play").click()
    played = moment(page)
    assert played > 1
    page.get_by_role("button", name="Next event").click()
    assert moment(page) == played + 1
    page.get_by_role("button", name="Event before").press("Enter")
    assert moment(page) == played
    slider = page.locator("#replay-time")
    slider.fill("500")
    middle = moment(page)
    assert middle > played
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert moment(page) > middle
    assert slider.get_attribute("aria-valuetext").endswith(page.locator(".console output").inner_text()[-20:])
    page.keyboard.press("End")
    total = int(page.locator(".console output").inner_text().split(" of ")[1])
    assert moment(page) == total
    counts = dict(
        zip(
            page.locator(".counts dt").all_inner_texts(),
            page.locator(".counts dd").all_inner_texts(),
            strict=True,
        )
    )
    data = replayed(page)
    words = [data["words"][word][0] for word in data["word"]]
    assert int(counts["sent"]) == words.count("sent")
    assert int(counts["lost or dropped"]) == words.count("lost")
    assert int(counts["exchanges completed"]) == words.count("completed")


def test_the_replay_shows_what_is_down_and_what_was_lost(visit):
    page = visit()
    data = replayed(page)
    slider = page.locator("#replay-time")
    scrub(page, 0.6)
    down = page.locator(".network .half.down")
    assert down.count() == 2  # both directions
    assert down.first.evaluate("e => getComputedStyle(e).strokeDasharray") != "none"
    assert page.locator(".network .agent.crashed").count() == 0
    scrub(page, 1.2)
    assert down.count() == 0
    assert page.locator(".network .agent.crashed").count() == 1
    lost = next(k for k, word in enumerate(data["word"]) if data["words"][word][0] == "lost")
    page.get_by_label("Pace").select_option("order")
    slider.fill(str(lost))
    assert moment(page) == lost + 1
    assert page.locator(".network .lost").count() >= 1
    assert "lost" in page.locator(".now").inner_text() or "dropped" in page.locator(".now").inner_text()
    completed = next(k for k, word in enumerate(data["word"]) if data["words"][word][0] == "completed")
    slider.fill(str(completed))
    assert page.locator(".network .edge.done").count() == 1
    assert page.locator(".now").inner_text() == (
        f"The exchange that agent {data['a'][completed]} began with agent {data['b'][completed]} is complete"
    )


def test_what_the_replay_says_is_read_aloud_when_it_stands(visit):
    page = visit()
    page.get_by_role("button", name="Next event").click()
    said = page.locator(".console [aria-live=polite]")
    until(page, lambda: "event 2 of" in said.inner_text())
    before = said.inner_text()
    page.locator("#replay-play").click()
    until(page, lambda: moment(page) > 5)
    assert said.inner_text() == before  # nothing while it plays


@pytest.fixture(scope="module")
def faults_file(tmp_path_factory):
    """The report of a training study with a partition and a crash."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "faults.yaml").write_text(reported.FAULTS)
    _, store = reported.run(folder / "faults.yaml", folder / "out", trials=1)
    return report.write(store.folder).file


def test_another_update_can_be_chosen_and_the_faults_are_shaded(visit, faults_file):
    page = visit(of=faults_file)
    data = page.evaluate("JSON.parse(document.getElementById('data').textContent).replay")
    menu = page.locator("#replay-update select")
    assert menu.locator("option").all_inner_texts() == [one["option"] for one in data["recordings"]]
    assert menu.input_value() == "1"  # update 5
    note = page.locator("#replay-note")
    assert "crash of agent 1" in note.inner_text()
    assert page.locator(".network .agent.crashed").count() == 1
    assert page.locator(".network .half.down").count() == 4
    total = page.locator(".console output").inner_text().split(" of ")[1]
    menu.focus()
    page.keyboard.press("ArrowUp")
    until(page, lambda: "No fault was active" in note.inner_text())
    assert page.evaluate("document.activeElement.tagName") == "SELECT"
    assert page.locator(".network .agent.crashed").count() == 0
    assert page.locator(".network .half.down").count() == 0
    events = len(data["recordings"][0]["times"])
    assert page.locator(".console output").inner_text().endswith(f" of {events}")
    assert total == str(len(data["recordings"][1]["times"]))
    assert page.locator("#curves .fault-band").count() == 2
    assert page.locator("#curves .fault-letter").all_text_contents() == ["A", "B"]
    assert [text[:2] for text in page.locator("#curves .fault-key li").all_inner_texts()] == ["A ", "B "]
    assert page.locator("#agents-figure .fault-band").count() == 2
    assert "Faults: A, partition" in page.locator("#agents-figure svg").get_attribute("aria-label")
    page.locator("#curves select").nth(1).select_option("update")
    label = page.locator("#curves .chart svg").get_attribute("aria-label")
    assert "Faults: A, partition of [0] and [1, 2] from update 3 to update 6, from 2 to 5; B, crash" in label


def test_light_and_dark_are_as_the_system_has_them_or_as_chosen(visit):
    light, dark = visit(color_scheme="light"), visit(color_scheme="dark")
    assert colours(light) == ["rgb(252, 251, 248)", "rgb(28, 32, 36)"]
    assert colours(dark) == ["rgb(21, 24, 27)", "rgb(233, 231, 226)"]
    for page, other in ((light, colours(dark)), (dark, colours(light))):
        page.locator("#scheme").click()
        assert colours(page) == other


@pytest.mark.parametrize("width", [375, 1200])
def test_nothing_is_wider_than_the_page(visit, width):
    page = visit(width=width)
    page.locator("#curves summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#curves .line").count() == 4


def test_where_less_motion_is_wanted_messages_do_not_move(visit):
    page = visit(reduced_motion="reduce")
    data = replayed(page)
    _, _, _, first, last, *_ = next(flight for flight in data["flights"] if flight[6] == "delivered")
    begin, end = data["times"][first], data["times"][last]
    places = set()
    for share in (0.1, 0.9):
        scrub(page, begin + share * (end - begin))
        places.add(page.locator(".network .message").first.get_attribute("transform"))
    assert len(places) == 1


def test_it_prints_without_its_controls(visit):
    page = visit(color_scheme="dark")
    page.emulate_media(media="print")
    assert colours(page)[0] == "rgb(252, 251, 248)"
    assert not page.locator("#replay-play").is_visible()
    assert page.locator("#curves svg").is_visible()
    assert page.locator("#statistics").is_visible()


SCALES = (resources.files("studies.report") / "assets" / "scales.js").read_text(encoding="utf-8")


def test_the_script_writes_numbers_and_ticks_as_the_tables_and_figures_do(browser):
    generator = np.random.default_rng(0)
    sizes = 10.0 ** generator.uniform(-12, 14, 300)
    signs = generator.choice([-1, 1], 300)
    numbers = [
        *map(float, sizes * signs),
        *map(float, np.round(sizes)),
        *(0.0, 20.0, 1e7, 9_999_999.6, 1e-4, 0.99996, 120_300.0, 179e6, 1e300, -1e-300),
    ]
    triples = []
    for number in numbers:
        width = abs(number) * float(10.0 ** generator.uniform(-7, 1))
        triples.append([number, number - width, number + width * float(generator.uniform())])
    triples += [[20.0, 20.0, 20.0], [0.01, 1e-4, 1.0], [0.0, -1.5, 1.5]]
    page = browser.new_page()
    units = ("", "bytes", "seconds", "count")
    for unit in units:
        found = page.evaluate(
            f"([numbers, triples, unit]) => {{ {SCALES}\n return [numbers.map((n) => figure(n, unit)),"
            " triples.map(([v, l, h]) => spread(v, l, h, unit))]; }",
            [numbers, triples, unit],
        )
        assert found[0] == [figure(number, unit) for number in numbers]
        assert found[1] == [[minus(word) for word in with_interval(a, b, c, unit)] for a, b, c in triples]
    ranges = [sorted(triple[1:]) for triple in triples if triple[1] != triple[2]]
    ranges = [pair for pair in ranges if abs(pair[1] - pair[0]) > 1e-9 * max(map(abs, pair))]
    positive = [pair for pair in ranges if pair[0] > 0]
    for most in (3, 8):
        found = page.evaluate(
            f"([ranges, positive, most]) => {{ {SCALES}\n"
            " return [ranges.map(([l, h]) => labels(linearTicks(l, h, most))),"
            " positive.map(([l, h]) => labels(logarithmicTicks(l, h, most)))]; }",
            [ranges, positive, most],
        )
        assert found[0] == [ticks.labels(ticks.linear(*pair, most)) for pair in ranges]
        assert found[1] == [ticks.labels(ticks.logarithmic(a, b, most)) for a, b in positive]
    page.close()


ASSETS = resources.files("studies.report") / "assets"
DRAW = """([nodes, width]) => {{
  const s = (name, attributes = {{}}, ...children) => {{
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }};
  const path = (places) => places.map(([x, y], k) => `${{k ? "L" : "M"}}${{x}} ${{y}}`).join("");
  {script}
  const links = nodes.slice(1).map((node, k) => [0, k + 1, [nodes[0], node]]);
  const picture = new NetworkPicture({{ nodes, links, names: nodes.map((_, k) => k) }}, "network");
  picture.svg.style.width = `${{width}}px`;
  document.body.replaceChildren(picture.svg);
  const boxes = [...document.querySelectorAll("circle.agent")].map((disc) => disc.getBoundingClientRect());
  const outer = picture.svg.getBoundingClientRect();
  return {{
    discs: boxes.map(({{ x, y, width }}) => [x + width / 2, y + width / 2, width / 2]),
    outer: [outer.x, outer.y, outer.right, outer.bottom],
    ends: picture.routes.map((route) => route.at(-1)),
    at: picture.at,
  }};
}}"""


@pytest.mark.parametrize("width", [358, 900])
@pytest.mark.parametrize("crowd", ["same place", "one far away", "two hundred", "few"])
def test_agents_of_the_replay_do_not_overlap_and_stay_in_the_picture(browser, crowd, width):
    generator = np.random.default_rng(3)
    nodes = {
        "same place": np.zeros((12, 2)),
        "one far away": np.vstack([generator.uniform(0, 0.01, (30, 2)), [[1.0, 1.0]]]),
        "two hundred": generator.uniform(0, 1, (200, 2)),
        "few": np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]]),
    }[crowd]
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    script = (ASSETS / "network.js").read_text(encoding="utf-8")
    found = page.evaluate(DRAW.format(script=script), [nodes.tolist(), width])
    page.close()
    assert len(found["discs"]) == len(nodes)
    left, top, right, bottom = found["outer"]
    for x, y, radius in found["discs"]:
        assert radius > 0.008 * width
        assert left <= x - radius < x + radius <= right
        assert top <= y - radius < y + radius <= bottom
    for (x, y, radius), (u, v, other) in itertools.combinations(found["discs"], 2):
        assert np.hypot(x - u, y - v) >= radius + other
    assert found["ends"] == found["at"][1:]  # links end at the agents, wherever they were pushed


@pytest.mark.parametrize("width", [390, 1280])
def test_a_wide_table_scrolls_below_its_caption_and_beside_its_first_column(visit, width):
    page = visit(width=width)
    for name in ("statistics", "trials"):
        box = page.locator(f".scroll:has(> #{name})")
        caption = page.locator(f"#{name}-caption").bounding_box()
        outer = box.bounding_box()
        assert outer["x"] >= 0
        assert outer["x"] + outer["width"] <= width
        last = page.locator(f"#{name} thead th").last
        first = page.locator(f"#{name} tbody tr").first.locator("th, td").first
        before = first.bounding_box()
        box.evaluate("one => { one.scrollLeft = one.scrollWidth; }")
        seen = last.bounding_box()
        assert seen["x"] + seen["width"] <= outer["x"] + outer["width"] + 1
        assert first.bounding_box()["x"] == pytest.approx(before["x"], abs=1)
        assert before["width"] <= 0.5 * outer["width"]
        assert page.locator(f"#{name}-caption").bounding_box() == caption


@pytest.mark.parametrize("width", [390, 1200])
def test_every_axis_of_a_chart_has_three_labels_that_do_not_meet(visit, width):
    page = visit(width=width)
    selects = page.locator("#curves select")
    for measure in range(page.locator("#curves select").first.locator("option").count()):
        selects.first.select_option(index=measure)
        for axis in range(selects.nth(1).locator("option").count()):
            selects.nth(1).select_option(index=axis)
            _labelled(page, "#curves-figure", ("x", "y"))
    final = page.locator("#finals .controls select")
    for number in range(final.locator("option").count()):
        final.select_option(index=number)
        _labelled(page, "#finals-figure", ("x",))


BOXES = "all => all.map(one => one.getBoundingClientRect()).map(({x, width}) => ({x, width}))"


def _labelled(page, chart, axes):
    """Whether the ticks of a chart are three or more, inside the picture and apart from each other."""
    for axis in axes:
        boxes = page.locator(f"{chart} .tick.{axis}").evaluate_all(BOXES)
        assert len(boxes) >= 3
        if axis == "x":
            assert all(
                box["x"] >= 0 and box["x"] + box["width"] <= page.viewport_size["width"] for box in boxes
            )
            boxes.sort(key=lambda box: box["x"])
            for one, other in itertools.pairwise(boxes):
                assert one["x"] + one["width"] <= other["x"] + 1


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """The report of a study on a graph whose file names its nodes."""
    folder = tmp_path_factory.mktemp("named")
    graph = Path(__file__).parents[2] / "data" / "named.graphml"
    (folder / "named.graphml").write_bytes(graph.read_bytes())
    (folder / "named.yaml").write_text(NAMED)
    _, store = reported.run(folder / "named.yaml", folder / "out")
    return report.write(store.folder).file


NAMED = """\
question: Who loses what?
workload: problem
problem: {name: mean, agents: 4}
topology: {file: named.graphml}
network: {link: {loss: 0.3}}
consensus: {budget: {activations: 40}}
"""


@pytest.mark.parametrize("width", [1200, 390])
def test_the_network_and_its_table_have_the_names_of_the_graph_file(visit, named, width):
    page = visit(width=width, of=named)
    labels = page.locator(".network .agent-label")
    assert labels.all_text_contents() == ["Zürich", "Bern", "Genève", "Lugano <south>"]
    outer = page.locator("svg.network").bounding_box()
    for box in (label.bounding_box() for label in labels.all()):
        assert outer["x"] <= box["x"]
        assert box["x"] + box["width"] <= outer["x"] + outer["width"] + 1
        assert outer["y"] <= box["y"]
    rows = page.locator("#links tbody th").all_text_contents()
    assert "0>1 (Zürich > Bern)" in rows
    assert "3>0 (Lugano <south> > Zürich)" in rows
