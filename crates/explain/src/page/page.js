// The page: the state of each loss, and the handlers of keys and clicks.

/** One loss on the page. */
class Side {
  constructor(data) {
    this.data = data;
    this.steps = stepsOf(data.nodes);
    this.done = this.steps.length;
    this.level = null; // null: the whole loss; a number: inside of that group; "all": all groups expanded
    this.node = data.inputs[0]?.node ?? data.nodes.length - 1;
    this.edge = [];
    this.element = null;
    this.path = [];
    this.timer = null;
    this.crumbs = html("nav", { class: "crumbs", "aria-label": "where you are" });
    this.picture = html("div", { class: "picture" });
    this.panel = html("aside", { class: "panel", "aria-label": "the current step, and what is chosen" });
    this.slider = html("input", { type: "range", min: 0, max: this.steps.length, "aria-label": "step",
      oninput: () => this.go(Number(this.slider.value)) });
    this.counter = html("output", { class: "counter" });
    this.player = button("▶", "play all steps", () => this.play(), { class: "play" });
    this.root = html("article", { class: "side", tabindex: -1 }, this.head(),
      html("div", { class: "bar-of-tools" }, this.crumbs, html("div", { class: "stepper", role: "group", "aria-label": "steps" },
        button("|◀", "to the start", () => this.go(0)), button("◀", "one step back (left arrow)", () => this.go(this.done - 1)),
        this.player, button("▷", "one step on (right arrow)", () => this.forward()),
        button("▶|", "to the end", () => this.go(this.steps.length)), this.slider, this.counter)),
      html("div", { class: "work" }, html("div", { class: "stage" }, this.picture, legend()), this.panel),
      html("details", { class: "text" }, html("summary", {}, "The same as text"), html("pre", { tabindex: 0 }, data.listing)));
    this.show();
  }

  head() {
    const formula = html("div", { class: "formula" });
    formula.innerHTML = this.data.formula;
    return html("header", {}, html("h1", {}, this.data.title), this.data.formula ? formula : null,
      this.data.checked ? html("p", { class: `checked ${this.data.checked.right ? "" : "differ"}` }, this.data.checked.text) : null,
      html("ul", { class: "notes" }, this.data.notes.map((note) => html("li", {}, note))));
  }

  /** The last step done. */
  get step() {
    return this.done > 0 ? this.steps[this.done - 1] : null;
  }

  /** Goes to the state after some steps, and to the level of the last one. */
  go(done) {
    this.done = Math.max(0, Math.min(done, this.steps.length));
    this.edge = [];
    this.element = null;
    this.path = [];
    if (this.step) {
      this.node = this.step.into ?? this.step.node;
      if (this.level !== "all") this.level = this.data.nodes[this.step.node].group;
    }
    this.show();
  }

  /** One step on; from the end, the first one. */
  forward() {
    this.go(this.done === this.steps.length ? 0 : this.done + 1);
  }

  play() {
    if (this.timer) return this.pause();
    if (this.done === this.steps.length) this.go(0);
    this.timer = setInterval(() => {
      this.go(this.done + 1);
      if (this.done === this.steps.length) this.pause();
    }, 1100);
    this.show();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.show();
  }

  open(level) {
    this.level = level === this.level ? this.parent(level) : level;
    this.show();
  }

  parent(level) {
    return typeof level === "number" ? this.data.groups[level].parent : null;
  }

  select(node) {
    this.node = node;
    this.edge = [];
    this.element = null;
    this.path = [];
    this.show();
  }

  /** Selects a node at one of its references, and shows its own box, if that is on this level. */
  find(node) {
    this.select(node);
    const own = this.drawing.querySelector(`[data-node="${node}"]`);
    if (own) scrollIntoFrame(this.picture, own);
  }

  choose(element) {
    this.element = element;
    this.path = [];
    this.show();
    this.panel.querySelector(".element")?.scrollIntoView({ block: "nearest" });
  }

  show() {
    this.drawCrumbs();
    this.drawLevel();
    this.drawPanel();
    this.slider.value = this.done;
    this.player.textContent = this.timer ? "❚❚" : "▶";
    this.player.setAttribute("aria-label", this.timer ? "pause" : "play all steps");
    const at = this.done === this.steps.length ? "all steps done" : this.done === 0 ? "start" : this.step.kind === "forward" ? "forward" : "backward";
    this.counter.textContent = `${this.done} / ${this.steps.length} ${at}`;
  }

  drawCrumbs() {
    const path = [];
    for (let group = this.level; typeof group === "number"; group = this.data.groups[group].parent) path.unshift(group);
    const crumb = (name, level, here) => html("button", { type: "button", "aria-current": here ? "location" : null,
      onclick: () => { this.level = level; this.show(); } }, name);
    const all = button(this.level === "all" ? "Close all" : "Open all", "all groups at once (a)",
      () => this.openAll(), { class: "all", "aria-pressed": String(this.level === "all") });
    replaceChildren(this.crumbs, crumb("whole loss", null, path.length === 0), path.map((group, i) =>
      [html("span", { "aria-hidden": "true" }, "›"), crumb(this.data.groups[group].name, group, i === path.length - 1)]), all);
  }

  openAll() {
    this.level = this.level === "all" ? null : "all";
    this.show();
  }

  drawLevel() {
    const { data, step, steps, done } = this;
    const known = progress(data.nodes, steps, done);
    const flowed = new Set(steps.slice(0, done).filter(({ kind }) => kind === "backward").map(({ node, slot }) => `${node} ${slot}`));
    const now = done === steps.length ? null : step;
    const view = {
      node: this.node, edge: this.edge, path: this.path,
      hasValue: (node) => known.value[node],
      hasGradient: (node) => known.gradient[node],
      flowed: (node, slot) => flowed.has(`${node} ${slot}`),
      isCurrent: (node, slot) => now !== null && (slot === undefined
        ? now.node === node && now.kind !== "backward" || now.into === node
        : now.kind === "backward" && now.node === node && now.slot === slot),
    };
    if (this.drawnLevel !== this.level || !this.drawing) this.redraw();
    this.drawing.refresh(view);
    const current = this.drawing.querySelector(".box.node.current, .box.output-port.current") ?? this.drawing.querySelector(".box.current");
    if (current) scrollIntoFrame(this.picture, current);
  }

  /** Draws the current level. The box that had the focus, or else the first one, gets it. */
  redraw() {
    const { data, level } = this;
    const shown = level === null ? data.top : level === "all" ? data.all ?? data.top : data.groups[level].level;
    const focused = this.picture.contains(document.activeElement) ? document.activeElement.parentNode.dataset : null;
    this.drawing = drawn(data, shown, {
      open: (group) => this.open(group),
      select: (node) => this.select(node),
      find: (node) => this.find(node),
      follow: (edge) => { this.edge = edge; this.show(); },
    });
    this.picture.replaceChildren(this.drawing);
    this.fit(this.drawing);
    this.picture.scrollLeft = (this.picture.scrollWidth - this.picture.clientWidth) / 2;
    this.drawnLevel = level;
    if (focused) {
      const same = focused.reference ? `[data-reference="${focused.reference}"]` : focused.node ? `[data-node="${focused.node}"]` : `[data-group="${focused.group}"]`;
      (this.drawing.querySelector(`${same} > .face`) ?? this.drawing.querySelector(".face"))?.focus({ preventScroll: true });
    }
  }

  /** Fits a drawing into its frame, but never too small to be read: what is larger scrolls. */
  fit(picture) {
    const [width, height] = [Number(picture.dataset.width), Number(picture.dataset.height)];
    const room = [this.picture.clientWidth || 800, this.picture.clientHeight || 560];
    const scale = Math.min(1.5, Math.max(0.85, Math.min(room[0] / width, room[1] / height)));
    picture.setAttribute("width", Math.floor(width * scale));
    picture.setAttribute("height", Math.floor(height * scale));
  }

  drawPanel() {
    const { data } = this;
    const ended = this.done === this.steps.length;
    const text = ended && !this.timer
      ? html("div", {}, html("p", { class: "formula" }, `L = ${number(data.nodes.at(-1).value.numbers[0])}`),
        html("p", { class: "hint" }, "All is computed. ▶ or → starts from the inputs; click a box, an edge, or an element of an input."))
      : description(data.nodes, this.steps, this.done);
    const kind = this.step && !ended ? this.step.kind : "rest";
    const card = html("section", { class: `card step ${kind}`, "aria-live": "polite" }, text);
    const input = data.inputs.find(({ node }) => node === this.node);
    const element = input && this.element !== null
      ? elementCard(data, input, this.element, this.path, (path) => { this.path = path; this.show(); }) : null;
    replaceChildren(this.panel, card, this.edge.length > 0 && this.edgeCard(), this.nodeCard(input), element);
  }

  edgeCard() {
    const flows = this.edge.map(([node, slot]) => ({ reader: this.data.nodes[node], input: this.data.nodes[node].inputs[slot] }));
    return html("section", { class: "card" }, flows.map(({ reader, input }) => {
      const name = this.data.nodes[input.node].name;
      if (!input.flow) return html("p", {}, `Nothing flows from ${reader.name} back to ${name}.`);
      return html("div", {}, html("h3", {}, `back from ${reader.name} to ${name}: ${input.flow.rule}`),
        tensor("what flows", input.flow.value ?? this.data.nodes[input.node].gradient));
    }));
  }

  nodeCard(input) {
    const node = this.data.nodes[this.node];
    const known = progress(this.data.nodes, this.steps, this.done);
    const can = (element) => input?.elements.includes(element);
    const choose = input ? (element) => this.choose(element) : null;
    const shown = { choose, chosen: this.element, can };
    const leaf = node.constant ? "a constant" : `a ${node.op}`;
    const formula = node.inputs.length ? ` = ${node.formula}` : `, ${leaf}`;
    const parts = [];
    const tensors = [];
    tensors.push(known.value[this.node] ? tensor("value", node.value, shown) : html("p", { class: "hint" }, "Its value is not computed yet."));
    if (!node.gradient) parts.push(html("p", { class: "hint" }, "No gradient flows here."));
    else if (known.gradient[this.node]) tensors.push(tensor(`gradient ∂L/∂${node.name}`, node.gradient, shown));
    else parts.push(html("p", { class: "hint" }, known.parts[this.node]
      ? `${known.parts[this.node]} of ${known.total[this.node]} contributions to its gradient are computed.` : "Its gradient is not computed yet."));
    if (input && known.gradient[this.node]) {
      if (!node.gradient.numbers) parts.push(largestOf(node, input, this.element, choose));
      parts.push(html("p", { class: "hint" }, "Click an element: the paths of its gradient, and its curve."));
    }
    const checked = known.gradient[this.node] && node.check ? gradientCheck(node.check) : null;
    const hazards = node.hazards.map((hazard) => html("p", { class: "hazard" }, `! ${hazard}`));
    return html("section", { class: "card node", "aria-label": `node ${node.name}` },
      html("h3", {}, html("b", {}, node.name), formula), html("p", { class: "location" }, `%${node.number} ${node.op} ${node.attributes}`.trim(), " · ", node.location),
      hazards, html("div", { class: "tensors" }, tensors), parts, checked);
  }

  /** Handles a key; returns whether it did. */
  key(event) {
    const inControl = event.target.matches?.("button, input, summary, pre, .face");
    switch (event.key) {
      case "ArrowRight": this.forward(); break;
      case "ArrowLeft": this.go(this.done - 1); break;
      case "Home": this.go(0); break;
      case "End": this.go(this.steps.length); break;
      case "Escape": case "Backspace": this.level = this.parent(this.level); this.show(); break;
      case "a": this.openAll(); break;
      case " ": if (inControl) return false; this.play(); break;
      default: return false;
    }
    return true;
  }
}

/** What the checker says of a gradient, with the finite differences where there are few. */
function gradientCheck({ verdict, text, differences }) {
  if (!differences) return html("p", { class: `check ${verdict}` }, text);
  return html("details", { class: `check ${verdict}` }, html("summary", {}, text), tensor("finite differences", differences));
}

/** Scrolls a drawing until a box is visible. */
function scrollIntoFrame(frame, box) {
  const [outer, inner] = [frame.getBoundingClientRect(), box.getBoundingClientRect()];
  if (inner.top < outer.top || inner.bottom > outer.bottom) {
    frame.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
  }
  if (inner.left < outer.left || inner.right > outer.right) {
    frame.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
  }
}

function legend() {
  const entry = (kind, text) => html("span", {}, svg("svg", { width: 26, height: 10, "aria-hidden": "true" },
    svg("g", { class: `edge flowed ${kind}` }, svg("path", { class: "band", d: "M2 5H24", "stroke-width": 7 }))), text);
  return html("p", { class: "legend" }, "what flows back: ", entry("plus", "positive"), entry("minus", "negative"),
    entry("both", "both"), entry("zero", "zero"), entry("non-finite", "not finite"), html("span", {}, "— wider is larger, by orders of magnitude"));
}

const data = JSON.parse(document.getElementById("data").textContent);
const sides = data.sides.map((side) => new Side(side));
document.getElementById("sides").append(...sides.map((side) => side.root));
document.body.classList.toggle("versus", sides.length > 1);
sides.forEach((side) => side.fit(side.drawing));

let active = sides[0];
document.addEventListener("focusin", ({ target }) => { active = sides.find(({ root }) => root.contains(target)) ?? active; });
document.addEventListener("pointerdown", ({ target }) => { active = sides.find(({ root }) => root.contains(target)) ?? active; });
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input") && event.key.startsWith("Arrow");
  if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
  if (active.key(event)) event.preventDefault();
});
addEventListener("resize", () => sides.forEach((side) => side.fit(side.drawing)));

// On paper, all groups are expanded and all steps done.
let saved = [];
addEventListener("beforeprint", () => {
  saved = sides.map(({ level, done }) => ({ level, done }));
  sides.forEach((side) => {
    [side.level, side.done] = ["all", side.steps.length];
    side.root.querySelector("details.text").open = true;
    side.show();
  });
});
addEventListener("afterprint", () => sides.forEach((side, i) => { Object.assign(side, saved[i]); side.show(); }));
