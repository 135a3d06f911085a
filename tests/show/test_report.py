# SPDX-License-Identifier: MIT
"""`report.html` in a real browser: complete, to scale, readable in light, dark, narrow and on paper, usable without a mouse."""

from __future__ import annotations

import io
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from repository import ROOT
from scons_build import scons
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from show.browser import Browser
from show.page_probes import CELLS, CONTRAST, FOCUSABLE, HITS, LINKS
from show.report_case import CASES, HOSTILE, NASTY, Made, make
from vdso import templating
from vdso.arch.riscv64.facts import RISCV64
from vdso.emit.blob import blob_from_facts
from vdso.place import plan
from vdso.policy import decide
from vdso.show import page
from vdso.show.info import describe

PAGE = 4096
OBJDUMP = ["riscv64-linux-gnu-objdump", "-D", "-b", "binary", "-m", "riscv:rv64"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """Return a function that builds the report of a case once."""

    @cache
    def built(name: str) -> Made:
        base, words = CASES[name]
        return make(tmp_path_factory.mktemp("report"), base, *words)

    return built


@pytest.fixture(scope="module", params=CASES)
def made(request: pytest.FixtureRequest, case: Callable[[str], Made]) -> Made:
    return case(request.param)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("hostile"), NASTY)


def test_silent_and_alone(browser: Browser, made: Made) -> None:
    browser.open(made.page)
    assert browser.said() == ([], [made.page.as_uri()])
    browser.media("dark")
    assert browser.said() == ([], [])
    assert not browser.run("return document.scripts.length")


def test_the_browser_would_tell(browser: Browser, made: Made, tmp_path: Path) -> None:
    """What the test above says of nothing, it says of a page that does something."""
    text = made.page.read_text()
    asks = text.replace("</main>", '<img src="http://127.0.0.1:9/x.png" alt="x"><p onclick="1" style="color:red">x</p></main>')
    (tmp_path / "asks.html").write_text(asks)
    browser.open(tmp_path / "asks.html")
    messages, asked = browser.said()
    assert len(messages) >= 2
    assert all("Content Security Policy" in message for message in messages)
    assert asked == [(tmp_path / "asks.html").as_uri(), "http://127.0.0.1:9/x.png"], "and refused"


def test_rows_are_those_of_the_json(browser: Browser, made: Made) -> None:
    browser.open(made.page)
    rows = browser.run(CELLS, "table.exports tbody tr")
    exports = made.facts["exports"]
    assert len(rows) == len(exports) >= 5
    for row, export in zip(rows, exports, strict=True):
        wanted = [export["name"], export["policy"], f"{export['base_address']:#05x}", str(export["base_size"])]
        assert [row[0], row[1], *row[2:4]] == wanted
        if export["policy"] == "hide":
            assert row[5:] == ["gone"]
        else:
            assert row[5:7] == [f"{export['address']:#05x}", str(export["size"])]
            assert row[7] == (export["placement"] or "as it was")
    assert len(browser.run(CELLS, "table.code thead tr")) == 2 * len(made.replaced) > 4
    sums = Counter()
    for change in made.facts["changes"]:
        sums[change["what"]] += change["end"] - change["start"]
    assert {row[0]: int(row[2]) for row in browser.run(CELLS, "table.changes tbody tr")} == sums


def test_what_most_ask_comes_first(browser: Browser, made: Made) -> None:
    """Exports before maps, tables of bytes folded, and in short: instructions, compiler, settings, licence."""
    browser.open(made.page)
    sections = browser.run(
        "return [...document.querySelectorAll('main > section')].map(s => s.getAttribute('aria-labelledby'))"
    )
    assert sections == ["short", "exports", "map", "code", "changes"]
    folded = "return [...document.querySelectorAll('main details')].map(d => [d.open, d.querySelector('table').className])"
    assert browser.run(folded) == [[False, "list"], [False, "list"], [False, "changes"]]
    said = browser.run("return document.querySelector('section[aria-labelledby=short]').innerText")
    titles = "return [...document.querySelectorAll('article h3')].map(h => h.innerText)"
    (counts,) = (re.search(r"(\d+ → \d+) instructions", title)[1] for title in browser.run(titles) if "clock_gettime" in title)
    assert f"{counts}\ninstructions of clock_gettime" in said
    assert blob_from_facts(made.facts, made.blob).compiler in said
    assert f"LOAD_ADDR={made.facts['load_addr']:#x} DATA_PAGE={made.facts['data_page']}" in said
    assert ("all of it is MIT" in said) == (made.facts["linux"] == "none")
    assert ("GPL-2.0" in said) == (made.facts["linux"] != "none")
    browser.run("location.hash = document.querySelector('table.list tbody tr').id")
    assert browser.run("return document.querySelector('table.list').closest('details').open"), "where a link leads into it"


def test_info_says_the_same(browser: Browser, made: Made) -> None:
    """Map, exports, policy and the addresses outside, in the terminal."""
    asked = decide.parse_policy(next((w for w in made.words if w.startswith("POLICY=")), "").removeprefix("POLICY="), RISCV64)
    told = templating.render("info.txt.j2", **describe(made.model, asked, coloured=False))
    browser.open(made.page)
    listed = [
        (int(row[0], 0), int(row[1], 0), row[3])
        for row in browser.run(CELLS, "section[aria-labelledby=base-map] table.list tbody tr")
    ]
    lines = re.findall(r"^  0x([0-9a-f]{4}) 0x([0-9a-f]{4}) +\d+  (.*)$", told, re.M)
    assert [(int(a, 16), int(b, 16), name.replace("__vdso_", "")) for a, b, name in lines] == listed
    rows = [(row[0], row[1], int(row[4].split()[0])) for row in browser.run(CELLS, "table.exports tbody tr")]
    lines = re.findall(r"^  0x[0-9a-f]{5} +\d+  (\w+) +\d+ +(\d+)  (.*)$", told, re.M)
    assert [(name, policy, int(outside)) for policy, outside, name in lines] == rows


def disassembled(code: bytes, start: int, size: int, folder: Path) -> list[int]:
    (folder / "code").write_bytes(code)
    words = [*OBJDUMP, f"--start-address={start}", f"--stop-address={start + size}", str(folder / "code")]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return [int(at, 16) for at in re.findall(r"^ *([0-9a-f]+):\t", shown, re.M)]


def test_code_before_and_after(browser: Browser, made: Made, tmp_path: Path) -> None:
    """Each instruction that objdump finds in a function has its line, whose bytes are those of the file."""
    browser.open(made.page)
    tables = browser.run(
        "return [...document.querySelectorAll('table.code')].map(t => [...t.tBodies[0].rows].map("
        "r => [r.cells[0].innerText, r.cells[1].textContent, r.cells[2].innerText, r.cells[3].innerText]))"
    )
    outside = {row[0]: int(row[4].split()[0]) for row in browser.run(CELLS, "table.exports tbody tr")}
    heads = browser.run("return [...document.querySelectorAll('article h3 .from')].map(h => h.textContent)")
    for index, export in enumerate(made.replaced):
        sides = ((made.base, export["base_address"], export["base_size"]), (made.blob, export["address"], export["size"]))
        for (code, start, size), lines in zip(sides, tables[2 * index : 2 * index + 2], strict=True):
            at = [int(line[0], 16) for line in lines]
            assert [address for address in at if start <= address < start + size] == disassembled(code, start, size, tmp_path)
            for address, line in zip(at, lines, strict=True):
                raw_bytes = int(line[1], 16).to_bytes(len(line[1]) // 2, "little")
                assert code[address : address + len(raw_bytes)] == raw_bytes
                assert line[2]
        assert not any("outside" in line[3] for line in tables[2 * index + 1]), export["name"]
        assert sum(line[3].count("outside") for line in tables[2 * index]) == outside[export["name"]]
        assert heads[index].endswith(f", {outside[export['name']]} → 0 addresses outside"), export["name"]
    if made.facts["linux"] != "none":
        assert any("outside" in line[3] for line in tables[0]), "Linux's clock_gettime reads Linux's data"
    kinds = browser.run("return [...document.querySelectorAll('.words span')].map(s => s.className + ' ' + s.innerText)")
    assert {"nf ecall", "nv a7", "m 0x71"} <= set(kinds)


def test_local_code_is_shown_with_what_reaches_it(browser: Browser, case: Callable[[str], Made]) -> None:
    browser.open(case("thunks").page)
    rows = browser.run("return document.querySelector('table.code').tBodies[0].rows.length")
    assert rows > 300
    assert browser.run("return document.querySelectorAll('table.code tr.gap').length") >= 1


def test_every_link_leads_somewhere_and_addresses_to_the_map(browser: Browser, made: Made) -> None:
    browser.open(made.page)
    ids, links = browser.run(LINKS)
    assert len(set(ids)) == len(ids)
    assert all(href.startswith("#") and found for href, _, _, found, _ in links), [link for link in links if not link[3]]
    addresses = [link for link in links if link[1] == "at"]
    assert len(addresses) > 50
    for href, _, text, _, region in addresses:
        assert region, href
        if text.lstrip("-").startswith("0x"):
            assert region[0] <= int(text, 16) < region[1], (href, text)


def hits(browser: Browser, which: str) -> list:
    """Return what a pointer meets in the middle of each byte, page after page: (start of the region, kind)."""
    return [tuple(hit) if hit else None for page in browser.run(HITS, which) for hit in page]


def test_the_map_is_to_scale(browser: Browser, made: Made) -> None:
    """Each byte of the drawing belongs to one region; a region has as many of them as it has bytes, at their places."""
    browser.open(made.page)
    blob, facts = made.blob, made.facts
    beside = {"data": facts["data_offset"], "counter": facts["counter_offset"] // PAGE * PAGE}
    beside = {kind: start for kind, start in beside.items() if start}
    first = min(0, *beside.values()) if beside else 0
    found = hits(browser, "image")
    assert len(found) == len(blob) + PAGE * len(beside)
    kinds = {first + index: hit for index, hit in enumerate(found)}
    assert None not in kinds.values()
    counts = Counter(start for start, _ in kinds.values())
    regions = browser.run(
        "return [...document.querySelectorAll('section[aria-labelledby=image-map] a.region[id]')]"
        ".map(a => [Number(a.dataset.start), Number(a.dataset.end)])"
    )
    assert counts == {start: end - start for start, end in regions}
    assert all(start <= address < dict(regions)[start] for address, (start, _) in kinds.items())
    # what they are said to be, from the bytes and a parser of another's
    for export in facts["exports"]:
        if export["address"] is not None:
            inside = {kinds[at] for at in range(export["address"], export["address"] + export["size"])}
            assert inside == {(export["address"], export["policy"])}, export["name"]
    elf = ELFFile(io.BytesIO(blob))
    for section in elf.iter_sections():
        if section.name in (".dynsym", ".dynstr", ".gnu.version", ".gnu.version_d", ".dynamic", ".note", ".eh_frame"):
            inside = {kinds[at][1] for at in range(section["sh_offset"], section["sh_offset"] + section["sh_size"])}
            assert inside == {"table"}, section.name
    text = elf.get_section_by_name(".text")
    for at in range(len(blob)):
        kind = kinds[at][1]
        if kind in ("trap", "rest"):
            assert blob[at] == 0, f"{at:#x}"
            assert (kind == "trap") == (text["sh_addr"] <= at < text["sh_addr"] + text["sh_size"]), f"{at:#x}"
    for kind, start in beside.items():
        assert {kinds[start + at] for at in range(PAGE)} == {(start, kind)}
    before = hits(browser, "base")
    assert len(before) == facts["base_pages"] * PAGE
    for export in facts["exports"]:
        inside = {before[at] for at in range(export["base_address"], export["base_address"] + export["base_size"])}
        assert inside == {(export["base_address"], export["policy"])}, export["name"]


def test_a_shape_that_lies_is_found(browser: Browser, case: Callable[[str], Made], tmp_path: Path) -> None:
    """Sabotage of the test above: rt_sigreturn is drawn a byte too wide, over what lies behind it."""
    made = case("minimal")
    text = made.page.read_text()
    shape = re.search(r'<a [^>]*id="map-image-[^>]*data-kind="keep"><path[^>]*d="M\d+ \d+(h40v14h-40)z".*?</a>\n', text)
    assert shape
    wide = shape[0].replace(shape[1], "h45v14h-45")
    head, drawing, rest = text.replace(shape[0], "").partition('aria-label="The image, page 0">')
    (tmp_path / "wide.html").write_text(head + drawing + rest.replace("</svg>", wide + "</svg>", 1))  # the last one is on top
    browser.open(tmp_path / "wide.html")
    counts = Counter(start for start, _ in hits(browser, "image"))
    assert counts[made.facts["exports"][0]["address"]] == 9


def test_keyboard(browser: Browser, made: Made) -> None:
    """Tab goes through all there is, in the order of reading, and shows where it is; Enter goes where a link leads."""
    browser.open(made.page, width=800, height=400)
    count = browser.run(FOCUSABLE)
    assert count > 60
    ActionChains(browser.driver).send_keys(Keys.TAB * count).perform()
    seen = browser.run("return window.seen")
    assert [index for index, _ in seen] == list(range(count))
    assert all(visible for _, visible in seen)

    browser.open(made.page)
    ActionChains(browser.driver).send_keys(Keys.TAB, Keys.ENTER).perform()
    assert browser.run("return [location.hash, document.activeElement.id]") == ["#main", "main"]
    ActionChains(browser.driver).send_keys(Keys.TAB).perform()
    assert browser.run("return document.activeElement.matches('main *')")

    # an address in the table of exports: Enter leads to the map, Tab goes on from there
    browser.run("document.querySelector('table.exports td:nth-child(6) a').focus()")
    ActionChains(browser.driver).send_keys(Keys.ENTER).perform()
    place = """
        const at = document.querySelector(':target'), box = at.getBoundingClientRect();
        return [location.hash, at.id, at.matches('svg.page a.region'), box.top >= 0 && box.bottom <= innerHeight,
                getComputedStyle(at.querySelector('.shape')).strokeWidth];
    """
    address = made.facts["exports"][0]["address"]
    assert browser.run(place) == [f"#map-image-{address:x}", f"map-image-{address:x}", True, True, "3px"]
    ActionChains(browser.driver).send_keys(Keys.TAB).perform()
    after = browser.run("return Number(document.activeElement.dataset.start)")
    assert after >= address
    # and from the map to the list beside it
    browser.run("document.getElementById(arguments[0]).focus()", f"map-image-{address:x}")
    ActionChains(browser.driver).send_keys(Keys.ENTER).perform()
    assert browser.run("return document.querySelector(':target').matches('table.list tr')")


def test_contrast(browser: Browser, made: Made) -> None:
    """WCAG 2.2, 1.4.3 (4.5 to 1 for text) and 1.4.11 (3 to 1 for the edges of a drawing)."""
    browser.open(made.page)
    for scheme, media in (("light", "screen"), ("dark", "screen"), ("dark", "print")):
        browser.media(scheme, media)
        worst = browser.run(CONTRAST)
        assert len(worst) > 15
        assert {what: round(value, 2) for what, value in worst.items() if value < 4.5} == {}, (scheme, media)
    browser.run("document.documentElement.style.setProperty('--soft', 'var(--rule)')")
    assert min(browser.run(CONTRAST).values()) < 4.5, "what is too pale is seen"


def test_kinds_differ_without_colours(browser: Browser, made: Made) -> None:
    browser.open(made.page)
    drawn = browser.run(
        "return [...document.querySelectorAll('pattern')].map(p => [p.id, [...p.querySelectorAll('path')].map(e => "
        "e.getAttribute('d')).join()])"
    )
    plain = [kind for kind, path in drawn if not path]
    assert set(plain) <= {"k-keep", "k-rest"}
    paths = [path for _, path in drawn if path]
    assert len(set(paths)) == len(paths) >= 5
    assert len(drawn) == browser.run("return document.querySelectorAll('.legend li').length")


def test_narrow_and_wide(browser: Browser, made: Made) -> None:
    columns = (
        "return [...document.querySelectorAll('.pair')].map(e => getComputedStyle(e).gridTemplateColumns.split(' ').length)"
    )
    for width, wanted in ((1280, 2), (360, 1)):
        browser.open(made.page, width=width)
        assert browser.run("return document.documentElement.scrollWidth") <= width
        assert set(browser.run(columns)) == {wanted}
    # what is wider than the screen lies in a box that can be scrolled, also with the keyboard
    wide = """return [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
        && !e.closest('section.scroll[tabindex="0"][aria-label]')).map(e => e.outerHTML.slice(0, 80))"""
    assert browser.run(wide) == []


def test_light_dark_and_paper(browser: Browser, made: Made) -> None:
    shots = {}
    for scheme in ("light", "dark"):
        browser.open(made.page, scheme=scheme)
        shots[scheme] = browser.screenshot()
        ground = browser.run("return getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[scheme]
    assert shots["light"] != shots["dark"]
    assert all(shot.startswith(b"\x89PNG") and len(shot) > 20_000 for shot in shots.values())
    browser.media("dark", "print")
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run("return getComputedStyle(document.querySelector('nav')).display") == "none"
    printed = browser.printed()
    assert printed.startswith(b"%PDF")
    assert 3 <= len(re.findall(rb"/Type /Page\b", printed)) <= 30


def test_tables_have_headers(browser: Browser, made: Made) -> None:
    browser.open(made.page)
    lacking = """return [...document.querySelectorAll('table')].filter(t => !t.caption ||
        [...t.querySelectorAll('th')].some(h => !['row', 'col'].includes(h.scope)) ||
        [...t.tBodies[0].rows].some(r => r.querySelectorAll('th[scope=row]').length !== 1)).map(t => t.className)"""
    assert browser.run(lacking) == []
    assert browser.run("return [...document.querySelectorAll('a.region')].every(a => a.getAttribute('aria-label'))")
    levels = browser.run("return [...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.localName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_names_are_harmless(browser: Browser, hostile: Made) -> None:
    browser.open(hostile.page)
    assert browser.said() == ([], [hostile.page.as_uri()])
    assert not browser.run("return document.querySelectorAll('script, img, iframe, [onerror]').length")
    names = [row[0] for row in browser.run(CELLS, "table.exports tbody tr")]
    assert f"__vdso_{HOSTILE}" in names
    assert any("\\x1b[31m" in name for name in names)
    assert "\x1b" not in hostile.page.read_text()


def test_nothing_of_this_machine_is_in_it(made: Made) -> None:
    text = made.page.read_text()
    for word in (str(made.out), str(ROOT), "/tmp", "/home", "/root", "http:", "https:", "@import", "url(//"):
        assert word not in text, word
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b|\b\d\d:\d\d:\d\d\b", text)


def test_another_process_makes_the_same_bytes(made: Made) -> None:
    """Python orders sets anew in each."""
    record = blob_from_facts(made.facts, made.blob)
    planned = plan.plan_from_json((made.out / "work" / "plan.json").read_text())
    assert page.html(page.shown(made.model, record, planned)) == made.page.read_bytes()


def test_made_when_needed_and_cleaned(case: Callable[[str], Made]) -> None:
    """Nothing to do the second time; anew where the blob changed; gone after -c."""
    made = case("minimal")
    again = scons("report", *made.words)
    assert again.stdout == "scons: `report' is up to date.\n", again.stdout + again.stderr
    assert "  REPORT  " in scons("report", *made.words, "LOAD_ADDR=0x400000000").stdout
    assert b"0x400000000" in made.page.read_bytes()
    assert scons("-c", *made.words).returncode == 0
    assert not made.page.exists()
