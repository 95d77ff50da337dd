// Both books along the serials of a case, to scale: zoomed and moved by wheel, buttons and keys.
//
// The page has the line as a picture and as a table already; this draws the same cells again in a
// view that can be narrowed to one serial of a thousand million. Serials are BigInt: they may have
// 19 digits. What is drawn has a width that can be seen at every zoom, and marks that would lie
// upon each other are one, with their count.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 960;
const LEFT = 88;
const INNER = WIDTH - LEFT - 8;
const HEIGHT = 150;
const LANES = { ledger: 12, registry: 70 };
const LANE_HEIGHT = 34;
const MARK_MIN = 5;
const GROUP_MAX = 44; // as wide as marks that are one may become: room for their count
const NARROWEST = 4n; // serials in the narrowest view
const LETTER = 7.3;

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const least = (a, b) => (a < b ? a : b);
const most = (a, b) => (a > b ? a : b);

class SerialLine {
  constructor(root) {
    this.root = root;
    const data = JSON.parse(document.getElementById(root.dataset.serialLine).textContent);
    this.cells = data.cells.map((cell) => ({
      ...cell,
      first: BigInt(cell.first),
      last: BigInt(cell.last),
    }));
    this.first = BigInt(data.first);
    this.behind = BigInt(data.last) + 1n;
    this.differing = this.cells.filter((cell) => cell.standing === "differs");
    this.low = this.first;
    this.high = this.behind;
    this.chosen = null;
    this.stage = root.querySelector(".serial-zoom");
    this.detail = root.querySelector(".serial-detail");
    this.svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
    this.stage.replaceChildren(this.svg);
    this.listen();
    root.hidden = false;
    this.draw();
  }

  // --- the view ---

  span() {
    return this.high - this.low;
  }

  x(position) {
    // The difference first: a Number holds it to the pixel, if not the serial itself.
    return LEFT + (Number(position - this.low) / Number(this.span())) * INNER;
  }

  serialAt(x) {
    const part = Math.min(Math.max((x - LEFT) / INNER, 0), 1);
    const steps = 1_000_000n;
    const at = this.low + (this.span() * BigInt(Math.round(part * Number(steps)))) / steps;
    return least(at, this.high - 1n);
  }

  look(low, high) {
    const whole = this.behind - this.first;
    let span = most(high - low, least(NARROWEST, whole));
    span = least(span, whole);
    this.low = most(this.first, least(low, this.behind - span));
    this.high = this.low + span;
    this.draw();
  }

  zoom(isIn, around = this.low + this.span() / 2n) {
    const span = isIn ? this.span() / 2n : this.span() * 2n;
    const before = ((around - this.low) * span) / this.span();
    this.look(around - before, around - before + span);
  }

  move(parts) {
    const step = most(this.span() / 5n, 1n) * BigInt(parts);
    this.look(this.low + step, this.high + step);
  }

  all() {
    this.look(this.first, this.behind);
  }

  // Goes to a difference and shows it with something around it.
  step(by) {
    if (this.differing.length === 0) return;
    const at = this.differing.indexOf(this.chosen);
    const next = at < 0 ? (by > 0 ? 0 : this.differing.length - 1) : at + by;
    const cell = this.differing[(next + this.differing.length) % this.differing.length];
    const size = cell.last - cell.first + 1n;
    const around = most(size / 2n, 10n);
    this.choose(cell);
    this.look(cell.first - around, cell.last + 1n + around);
  }

  choose(cell) {
    this.chosen = cell;
    this.detail.textContent = cell ? `${cell.sign} ${cell.words}` : "";
  }

  cellAt(serial) {
    return this.cells.find((cell) => cell.first <= serial && serial <= cell.last) ?? null;
  }

  // --- the picture ---

  draw() {
    const parts = [
      element("text", { class: "lane", x: 0, y: LANES.ledger + 22 }, this.root.dataset.ledger),
      element("text", { class: "lane", x: 0, y: LANES.registry + 22 }, this.root.dataset.registry),
    ];
    const shown = this.cells.filter((cell) => cell.last >= this.low && cell.first < this.high);
    for (const cell of shown) if (cell.standing !== "differs") parts.push(...this.drawn(cell));
    for (const group of this.groups(shown)) parts.push(...this.drawnGroup(group));
    parts.push(...this.axis());
    if (this.chosen && shown.includes(this.chosen)) {
      const [x, width] = this.place(this.chosen, MARK_MIN);
      parts.push(
        element("rect", { class: "cursor", x: x - 3, y: 6, width: width + 6, height: 104, rx: 3 }),
      );
    }
    this.svg.replaceChildren(...parts);
    this.root.dataset.view = `${this.low}-${this.high - 1n}`;
  }

  // Where a cell lies in the view; a narrow one is widened, and stays inside.
  place(cell, widthMin) {
    const begin = this.x(most(cell.first, this.low));
    const end = this.x(least(cell.last + 1n, this.high));
    const width = Math.max(end - begin, widthMin);
    return [Math.max(LEFT, Math.min(begin, LEFT + INNER - width)), width];
  }

  // Differing cells that would lie upon each other, together.
  groups(cells) {
    const groups = [];
    for (const cell of cells) {
      if (cell.standing !== "differs") continue;
      const [x, width] = this.place(cell, MARK_MIN);
      const last = groups.at(-1);
      const end = last ? last.x + last.width + 1 : LEFT;
      if (last && width <= MARK_MIN && x < end && last.width < GROUP_MAX) {
        last.cells.push(cell);
        last.width = Math.max(last.width, x + width - last.x);
      } else {
        groups.push({ cells: [cell], x: Math.max(x, end), width });
      }
    }
    return groups;
  }

  drawn(cell) {
    const [x, width] = this.place(cell, 1);
    return this.boxes(cell, x, width, cell.ledger, cell.registry, cell.sign, cell.words);
  }

  drawnGroup({ cells, x, width }) {
    const [cell] = cells;
    if (cells.length === 1) {
      return this.boxes(cell, x, width, cell.ledger, cell.registry, cell.sign, cell.words);
    }
    const words = `${cells.length} × ≠: ${cell.first}–${cells.at(-1).last}`;
    const sign = width < GROUP_MAX / 2 ? "≠" : `${cells.length}×≠`;
    return this.boxes(cell, x, width, "", "", sign, words);
  }

  boxes(cell, x, width, ledger, registry, sign, words) {
    const group = element("g", { "data-first": cell.first, "data-standing": cell.standing });
    group.append(element("title", {}, words));
    for (const [lane, text, has] of [
      ["ledger", ledger, cell.ledgerHas],
      ["registry", registry, cell.registryHas],
    ]) {
      const box = { x, y: LANES[lane], width, height: LANE_HEIGHT };
      group.append(element("rect", { ...box, class: `box box-${has} box-${cell.standing}` }));
      if (cell.standing === "differs") {
        group.append(element("rect", { ...box, fill: "url(#serial-hatch)" }));
      }
      if (text.length * LETTER + 8 <= width) {
        const middle = x + width / 2;
        const half = (text.length * LETTER) / 2 + 2;
        if (cell.standing === "differs") {
          const plate = { x: middle - half, y: box.y + 9, width: half * 2, height: 16 };
          group.append(element("rect", { class: "plate", ...plate }));
        }
        group.append(element("text", { class: "in-box", x: middle, y: box.y + 21 }, text));
      }
    }
    if (cell.standing === "differs" || width > 14) {
      const place = { x: Math.min(Math.max(x + width / 2, LEFT + 8), LEFT + INNER - 8), y: 63 };
      group.append(element("text", { class: `sign sign-${cell.standing}`, ...place }, sign));
    }
    return [group];
  }

  // Some round serials below the lanes, and the first and last one of the view.
  axis() {
    const y = 118;
    const parts = [
      element("line", { class: "axis", x1: LEFT, y1: y, x2: LEFT + INNER, y2: y }),
      element("text", { x: LEFT, y: y + 28 }, String(this.low)),
      element("text", { class: "tick-end", x: LEFT + INNER, y: y + 28 }, String(this.high - 1n)),
    ];
    let step = 1n;
    while (this.span() / step > 6n) step *= step.toString().startsWith("1") ? 2n : 5n;
    for (let at = ((this.low + step - 1n) / step) * step; at < this.high; at += step) {
      const x = this.x(at);
      parts.push(element("line", { class: "border", x1: x, y1: y - 4, x2: x, y2: y + 4 }));
      parts.push(element("text", { class: "in-box", x, y: y + 15 }, String(at)));
    }
    return parts;
  }

  // --- hands ---

  listen() {
    const keys = {
      "+": () => this.zoom(true),
      "=": () => this.zoom(true),
      "-": () => this.zoom(false),
      ArrowLeft: () => this.move(-1),
      ArrowRight: () => this.move(1),
      0: () => this.all(),
      Home: () => this.look(this.first, this.first + this.span()),
      End: () => this.look(this.behind - this.span(), this.behind),
      n: () => this.step(1),
      p: () => this.step(-1),
    };
    this.stage.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const act = keys[event.key] ?? keys[event.key.toLowerCase()];
      if (!act) return;
      event.preventDefault();
      act();
    });
    const buttons = {
      in: () => this.zoom(true),
      out: () => this.zoom(false),
      left: () => this.move(-1),
      right: () => this.move(1),
      all: () => this.all(),
      next: () => this.step(1),
      previous: () => this.step(-1),
    };
    for (const button of this.root.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => buttons[button.dataset.do]());
    }
    this.stage.addEventListener(
      "wheel",
      (event) => {
        // The page scrolls as everywhere until somebody has come here.
        if (!this.stage.contains(document.activeElement) && !event.ctrlKey) return;
        event.preventDefault();
        this.zoom(event.deltaY < 0, this.serialAt(this.pointed(event)));
      },
      { passive: false },
    );
    this.listenToPointer();
  }

  pointed(event) {
    const box = this.svg.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * WIDTH;
  }

  listenToPointer() {
    let from = null;
    this.stage.addEventListener("pointerdown", (event) => {
      from = { x: this.pointed(event), low: this.low };
    });
    this.stage.addEventListener("pointermove", (event) => {
      if (from === null) return;
      const moved = ((from.x - this.pointed(event)) / INNER) * Number(this.span());
      if (Math.abs(from.x - this.pointed(event)) < 4) return;
      const low = from.low + BigInt(Math.round(moved));
      this.look(low, low + this.span());
    });
    window.addEventListener("pointerup", () => {
      from = null;
    });
    this.stage.addEventListener("click", (event) => {
      const named = event.target.closest?.("g[data-first]")?.dataset.first;
      this.choose(this.cellAt(named ? BigInt(named) : this.serialAt(this.pointed(event))));
      this.draw();
    });
  }
}

for (const root of document.querySelectorAll("[data-serial-line]")) new SerialLine(root);
