# SPDX-License-Identifier: MIT
"""What the tests of the report ask a browser, as bodies of JavaScript functions."""

# arguments[0]: selector of rows. The text of their cells, those of folded tables too.
CELLS = """
document.querySelectorAll('details').forEach(d => d.open = true);
return [...document.querySelectorAll(arguments[0])].map(r => [...r.cells].map(c => c.innerText.trim()));
"""

# [every id, every link as [href, class, text, leads somewhere, start and end of the region on a map that it leads to]].
LINKS = """
const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
const links = [...document.querySelectorAll('a[href]')].map(a => {
    const target = document.getElementById(a.getAttribute('href').slice(1));
    const region = target && target.closest('svg.page a.region');
    return [a.getAttribute('href'), a.getAttribute('class'), a.textContent.trim(), Boolean(target),
            region && [Number(region.dataset.start), Number(region.dataset.end)]];
});
return [ids, links];
"""

# arguments[0]: base or image. For each page what a pointer meets in the middle of each byte: [start of the region, kind].
HITS = """
return [...document.querySelectorAll(`section[aria-labelledby=${arguments[0]}-map] svg.page`)].map(svg => {
    svg.scrollIntoView();
    const matrix = svg.getScreenCTM(), starts = [];
    for (let byte = 0; byte < 4096; byte++) {
        const x = (byte % 128 + .5) * 5, y = (Math.floor(byte / 128) + .5) * 14;
        const at = new DOMPoint(x, y).matrixTransform(matrix);
        const hit = document.elementFromPoint(at.x, at.y);
        const region = hit && hit.closest('a.region');
        starts.push(region && region.ownerSVGElement === svg ? [Number(region.dataset.start), region.dataset.kind] : null);
    }
    return starts;
});
"""

# How many elements Tab reaches; from here on window.seen has [which of them got the focus, and can it be seen].
FOCUSABLE = """
window.seen = [];
window.all = [...document.querySelectorAll('a[href], summary, [tabindex="0"]')].filter(
    e => e.tabIndex === 0 && (e.matches('summary') || !e.closest('details:not([open])')));
document.addEventListener('focusin', event => {
    const style = getComputedStyle(event.target), shape = event.target.querySelector('.shape');
    const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    const edge = event.target.matches('a.region') && parseFloat(getComputedStyle(shape).strokeWidth) >= 3;
    window.seen.push([window.all.indexOf(event.target), ring || edge]);
});
return window.all.length;
"""

# The worst contrast for each sort of text, and 1.5 times that of the edges on the map.
CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const known = new Map();
function rgb(color) {
    if (!known.has(color)) known.set(color, seen(color));
    return known.get(color);
}
function seen(color) {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
}
function light(color) {
    const [r, g, b] = rgb(color).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
}
function contrast(one, other) {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + .05) / (low + .05);
}
function ground(element) {
    for (let e = element; e; e = e.parentElement) {
        const color = getComputedStyle(e).backgroundColor;
        if (rgb(color)[3] === 255) return color;
    }
    return 'white';
}
const worst = {};
function note(what, value) { worst[what] = Math.min(worst[what] ?? 99, value); }
for (const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); walker.nextNode();) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('title') || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    if (!(element instanceof SVGElement)) {
        note('text ' + (element.className || element.localName), contrast(style.color, ground(element)));
    } else if (element.matches('.label')) {
        const kind = element.closest('a').dataset.kind;
        for (const part of document.querySelectorAll(`#k-${kind} > *`)) {
            const drawn = getComputedStyle(part);
            for (const paint of [drawn.fill, drawn.stroke])
                if (paint !== 'none' && !(part.matches('[class^=line]') && paint === drawn.fill))
                    note('label ' + kind, contrast(style.fill, paint));
        }
    } else {
        note('svg ' + element.getAttribute('class'), contrast(style.fill, ground(element)));
    }
}
for (const shape of document.querySelectorAll('a.region .shape'))
    note('edge', 1.5 * contrast(getComputedStyle(shape).stroke, ground(shape)));  // 3 is enough for what is no text
return worst;
"""
