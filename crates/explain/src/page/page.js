// One loss on the page: its state, and the handlers of keys and clicks.

/** One loss on the page. `act` is the page: its engine, and the losses beside this one. */
class Side {
  constructor(data, act) {
    this.act = act;
    this.view = "teaching"; // or "ops": every op as it was recorded
    this.take(data);
    this.done = this.steps.length;
    this.level = null; // null: the whole loss; a number: inside of that group; "all": all groups expanded
    this.node = this.data.inputs[0]?.node ?? data.nodes.length - 1;
    this.edge = [];
    this.element = null;
    this.path = [];
    this.timer = null;
    this.live = data.live ?? null;
    this.changes = this.live !== null && act.canCompute;
    this.crumbs = html("nav", { class: "crumbs", "aria-label": `where you are in ${data.title}` });
    this.frame = new Frame();
    this.panel = html("aside", { class: "panel", "aria-label": `the current step of ${data.title}, and what is chosen` });
    this.slider = html("input", { type: "range", min: 0, max: this.steps.length, "aria-label": "step",
      oninput: () => this.go(Number(this.slider.value)) });
    this.counter = html("output", { class: "counter" });
    this.player = button("▶", "play all steps", () => this.play(), { class: "play" });
    this.speed = html("select", { "aria-label": "speed", title: "speed" }, SPEEDS.map((speed) => html("option", { value: speed }, `${speed}×`)));
    this.speed.value = "1";
    this.searcher = html("input", { type: "search", class: "search", placeholder: "find an op", "aria-label": "find an op or a name (/)",
      onkeydown: (event) => { if (event.key === "Enter") this.search(this.searcher.value); } });
    this.frame.tools.prepend(this.searcher);
    this.header = this.head();
    if (this.changes) this.makeLive();
    this.root = html("article", { class: `side ${this.changes ? "live" : "static"}`, tabindex: -1 }, this.header,
      html("div", { class: "bar-of-tools" }, this.crumbs, html("div", { class: "stepper", role: "group", "aria-label": "steps" },
        button("|◀", "to the start", () => this.go(0)), button("◀", "one step back (left arrow)", () => this.go(this.done - 1)),
        this.player, button("▷", "one step on (right arrow)", () => this.forward()),
        button("▶|", "to the end", () => this.go(this.steps.length)), this.slider, this.counter, this.speed), shareBar(this)),
      html("div", { class: "work" }, this.changes && html("div", { class: "changes" }, this.controls.root, this.descent.root),
        html("div", { class: "stage" }, this.frame.root, html("div", { class: "below" }, legend(), this.frame.map)), this.panel),
      html("details", { class: "text" }, html("summary", {}, "The same as text"), html("pre", { tabindex: 0 }, data.listing)));
    lightSymbols(this.root);
    this.show();
  }

  /** Takes what was found, and shows of it what the view has. */
  take(found) {
    this.found = found;
    this.data = shownOf(found, this.view);
    this.steps = stepsOf(this.data.nodes);
  }

  head() {
    const definition = html("div", { class: "formula" });
    definition.innerHTML = this.data.formula;
    this.checked = html("p", { class: "checked" });
    this.status = html("p", { class: "status", role: "status" }, this.changes ? "starting the engine…" : "");
    this.notes = html("ul", { class: "notes" });
    this.showHead();
    this.symbols = this.live ? symbolsOf(this.live) : [];
    const letters = this.data.formula ? this.live?.letters ?? [] : [];
    const key = this.symbols.length + letters.length > 0 ? keyOf(definition, this.symbols, letters) : null;
    return html("header", {}, html("h1", {}, this.data.title), this.data.formula ? definition : null, key, this.status, this.checked, this.notes);
  }

  showHead() {
    const { checked, notes } = this.data;
    this.checked.textContent = checked?.text ?? "";
    this.checked.classList.toggle("differ", checked?.right === false);
    const still = this.changes ? [] : ["the page has no engine, so its numbers stand still: run the program that wrote it again to change them"];
    this.notes.replaceChildren(...[...notes, ...still].map((note) => html("li", {}, note)));
  }

  /** The levels and groups of the current view. */
  get tree() {
    const { views } = this.data;
    if (!views[this.view] && !this.act.engine) this.view = "teaching";
    return (views[this.view] ??= this.sketch(this.case()).views[this.view]);
  }

  /** The layout of the current level. What nobody looked at yet is laid out by the engine. */
  get shown() {
    const { level, tree } = this;
    const laidOut = () => (level === null || (level === "all" && tree.groups.length === 0) ? tree.top : level === "all" ? tree.all : tree.groups[level].level);
    if (!laidOut()) {
      if (!this.act.engine) return tree.top;
      const more = this.sketch(this.case()).views[this.view];
      tree.all ??= more.all;
      tree.groups.forEach((group, at) => { group.level ??= more.groups[at]?.level; });
    }
    return laidOut() ?? tree.top;
  }

  /** Changes between the teaching view and every op. */
  look(view) {
    const ended = this.done === this.steps.length;
    const step = this.step;
    this.view = view;
    this.take(this.found);
    this.slider.max = this.steps.length;
    // The same step, where the view has it.
    const same = step ? this.steps.findIndex(({ kind, node, slot }) => kind === step.kind && node === step.node && slot === step.slot) : -1;
    this.done = ended ? this.steps.length : same + 1;
    this.level = this.level === "all" ? "all" : null;
    this.drawnLevel = undefined;
    this.show();
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
      if (this.level !== "all") this.level = this.tree.within[this.step.node];
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
    }, 1100 / Number(this.speed.value));
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

  /** Leaves a group; its box on the level outside gets the focus. */
  leave() {
    const left = this.level;
    const focused = this.frame.root.contains(document.activeElement);
    this.level = this.parent(this.level);
    this.show();
    if (focused && typeof left === "number") this.frame.drawing.querySelector(`[data-group="${left}"] > .face`)?.focus({ preventScroll: true });
  }

  parent(level) {
    return typeof level === "number" ? this.tree.groups[level].parent : null;
  }

  select(node) {
    this.node = node;
    this.edge = [];
    this.element = null;
    this.path = [];
    this.show();
  }

  /** Goes to the next node with an op or a name. */
  search(text) {
    const wanted = text.trim().toLowerCase();
    const { nodes } = this.data;
    const found = nodes.flatMap(({ name, op }, at) => (wanted !== "" && (op.toLowerCase().includes(wanted) || name.toLowerCase() === wanted) ? [at] : []));
    this.searcher.classList.toggle("refused", found.length === 0);
    if (found.length === 0) return;
    const next = found.find((at) => at > this.node) ?? found[0];
    if (this.level !== "all") this.level = this.tree.within[next];
    this.find(next);
  }

  /** Selects a node at one of its references, and shows its own box, if that is on this level. */
  find(node) {
    this.select(node);
    const own = this.frame.drawing.querySelector(`[data-node="${node}"]`);
    if (own) this.frame.reveal(own);
  }

  choose(element) {
    this.element = element;
    this.path = [];
    this.show();
    this.panel.querySelector(".element")?.scrollIntoView({ block: "nearest" });
  }


  show() {
    this.known = progress(this.data.nodes, this.steps, this.done);
    this.drawCrumbs();
    this.drawLevel();
    this.drawPanel();
    this.controls?.showSlopes((name) => Boolean(this.leaf(name)?.gradient), (name) => this.slopesOf(name));
    this.slider.value = this.done;
    this.player.textContent = this.timer ? "❚❚" : "▶";
    this.player.setAttribute("aria-label", this.timer ? "pause" : "play all steps");
    const at = this.done === this.steps.length ? "all steps done" : this.done === 0 ? "start" : this.step.kind === "forward" ? "forward" : "backward";
    this.counter.replaceChildren(`${this.done} / ${this.steps.length} `, html("span", {}, at));
    this.slider.setAttribute("aria-valuetext", `step ${this.done} of ${this.steps.length}, ${at}`);
    this.act.touched();
  }

  /** The node of an input. */
  leaf(name) {
    return this.data.nodes.find((node) => node.name === name && node.inputs.length === 0);
  }

  /** The gradient of an input, as numbers: null before it is computed. */
  slopesOf(name) {
    const leaf = this.leaf(name);
    return this.known.gradient[this.data.nodes.indexOf(leaf)] ? leaf.gradient.numbers ?? null : null;
  }

  drawCrumbs() {
    const path = [];
    for (let group = this.level; typeof group === "number"; group = this.tree.groups[group].parent) path.unshift(group);
    const crumb = (name, level, here) => html("button", { type: "button", "aria-current": here ? "location" : null,
      onclick: () => { this.level = level; this.show(); } }, name);
    const all = button(this.level === "all" ? "Close all" : "Open all", "all groups at once (a)",
      () => this.openAll(), { class: "all", "aria-pressed": String(this.level === "all") });
    const every = button("Every op", "every op, as it was recorded (e)", () => this.look(this.view === "ops" ? "teaching" : "ops"),
      { class: "every", "aria-pressed": String(this.view === "ops") });
    replaceChildren(this.crumbs, crumb("whole loss", null, path.length === 0), path.map((group, i) =>
      [html("span", { "aria-hidden": "true" }, "›"), crumb(this.tree.groups[group].name, group, i === path.length - 1)]), all, every);
  }

  openAll() {
    this.level = this.level === "all" ? null : "all";
    this.show();
  }

  drawLevel() {
    const { data, step, steps, done, known } = this;
    this.flowed = new Set(steps.slice(0, done).filter(({ kind }) => kind === "backward").map(({ node, slot }) => `${node} ${slot}`));
    const now = done === steps.length ? null : step;
    const view = {
      node: this.node, edge: this.edge, path: this.path,
      hasValue: (node) => known.value[node],
      hasGradient: (node) => known.gradient[node],
      flowed: (node, slot) => this.flowed.has(`${node} ${slot}`),
      isCurrent: (node, slot) => now !== null && (slot === undefined
        ? now.node === node && now.kind !== "backward" || now.into === node
        : now.kind === "backward" && now.node === node && now.slot === slot),
    };
    const entered = this.drawnLevel !== this.level;
    if (entered || this.drawnData !== data) this.redraw();
    const { drawing } = this.frame;
    drawing.refresh(view);
    // It is known now which box is chosen, and so what is to be seen.
    if (entered) this.frame.resize();
    const current = drawing.querySelector(".box.node.current, .box.output-port.current") ?? drawing.querySelector(".box.current");
    if (current) this.frame.reveal(current);
  }

  /** Draws the current level. The box that had the focus, or else the first one, gets it. */
  redraw() {
    const { data, level, shown } = this;
    const focused = this.frame.root.contains(document.activeElement) ? document.activeElement.parentNode.dataset : null;
    const drawing = drawn(data, shown, this.symbols, {
      open: (group) => this.open(group),
      select: (node) => this.select(node),
      find: (node) => this.find(node),
      follow: (edge) => { this.edge = edge; this.show(); },
    });
    // A sketch is not compared with differences: it comes while a number moves.
    this.frame.show(drawing, this.drawnLevel === level && this.frame.drawing !== undefined, this.live !== null && data.checked === null);
    [this.drawnLevel, this.drawnData] = [level, data];
    if (focused && Object.keys(focused).length > 0) {
      const same = focused.reference ? `[data-reference="${focused.reference}"]` : focused.node ? `[data-node="${focused.node}"]` : `[data-group="${focused.group}"]`;
      (drawing.querySelector(`${same} > .face`) ?? drawing.querySelector(".face"))?.focus({ preventScroll: true });
    }
  }

  drawPanel() {
    const { data } = this;
    const ended = this.done === this.steps.length;
    this.writeOut();
    const text = ended && !this.timer
      ? html("div", {}, html("p", { class: "formula" }, `L = ${number(data.nodes.at(-1).value.numbers[0])}`),
        html("p", { class: "hint" }, "All is computed. ▶ or → starts from the inputs; click a box, an edge, or an element of an input."))
      : description(data.nodes, this.steps, this.done);
    const kind = this.step && !ended ? this.step.kind : "rest";
    const card = html("section", { class: `card step ${kind}`, "aria-live": "polite" }, text);
    const input = data.inputs.find(({ node }) => node === this.node);
    const element = input && this.element !== null && this.known.gradient[this.node]
      ? elementCard(data, this.worked(input, this.element), this.element, this.path, (path) => { this.path = path; this.show(); }) : null;
    replaceChildren(this.panel, card, this.edge.length > 0 && this.edgeCard(), element,
      this.live && familyView(this.live, (name) => this.slopesOf(name)?.map(Number) ?? null, (inputs) => this.changes && this.change({ inputs })),
      this.nodeCard(input), this.surface?.root);
  }

  edgeCard() {
    const flows = this.edge.map(([node, slot]) => ({ reader: this.data.nodes[node], input: this.data.nodes[node].inputs[slot] }));
    return html("section", { class: "card" }, flows.map(({ reader, input }, at) => {
      const name = this.data.nodes[input.node].name;
      if (!input.flow) return html("p", {}, `Nothing flows from ${reader.name} back to ${name}.`);
      if (!this.flowed.has(this.edge[at].join(" "))) return html("p", {}, `What flows from ${reader.name} back to ${name} is not computed yet.`);
      return html("div", {}, html("h3", {}, `back from ${reader.name} to ${name}: ${input.flow.rule}`),
        tensor("what flows", input.flow.value ?? this.data.nodes[input.node].gradient));
    }));
  }

  nodeCard(input) {
    const { known } = this;
    const node = this.data.nodes[this.node];
    const can = (element) => input?.elements.includes(element);
    const choose = input ? (element) => this.choose(element) : null;
    const shown = { choose, chosen: this.element, can };
    const leaf = node.constant ? "a constant" : input ? "an input" : `a ${node.op}`;
    const made = node.inputs.length ? ` = ${node.formula}` : `, ${leaf}`;
    const parts = [];
    const tensors = [];
    tensors.push(known.value[this.node] ? tensor("value", node.value, shown) : html("p", { class: "hint" }, "Its value is not computed yet."));
    if (!node.gradient) parts.push(html("p", { class: "hint" }, "No gradient flows here."));
    else if (known.gradient[this.node]) tensors.push(tensor(`gradient ∂L/∂${node.name}`, node.gradient, shown));
    else parts.push(html("p", { class: "hint" }, known.parts[this.node]
      ? `${known.parts[this.node]} of ${counted(known.total[this.node], "contribution")} to its gradient ${known.parts[this.node] === 1 ? "is" : "are"} computed.` : "Its gradient is not computed yet."));
    if (input && known.gradient[this.node]) {
      if (!node.gradient.numbers) parts.push(largestOf(node, input, this.element, choose));
      parts.push(html("p", { class: "hint" }, "Click an element: the paths of its gradient, and its curve."));
    }
    const closed = this.live?.closed;
    if (closed?.input === node.name && known.gradient[this.node]) parts.push(closedCard(closed, node));
    const checked = known.gradient[this.node] && node.check ? gradientCheck(node.check) : null;
    const hazards = node.hazards.map((hazard) => html("p", { class: "hazard" }, `! ${hazard}`));
    return html("section", { class: "card node", "aria-label": `node ${node.name}` },
      html("h3", {}, html("b", {}, node.name), formula(made)), (node.location || node.inputs.length > 0) && html("p", { class: "location" }, `%${node.number} ${node.op} ${node.attributes}`.trim(), node.location ? html("span", { class: "whole" }, ` · ${node.location}`) : ""),
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
      case "Escape": case "Backspace": this.leave(); break;
      case "+": case "=": this.frame.zoom(1.25); break;
      case "-": this.frame.zoom(1 / 1.25); break;
      case "0": this.frame.fit(); break;
      case "e": this.look(this.view === "ops" ? "teaching" : "ops"); break;
      case "/": this.searcher.focus(); break;
      case "f": this.frame.fullScreen(); break;
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

/** The slope in closed form, and whether the steps arrived there. */
function closedCard({ formula: closed, numbers }, { name, value, gradient }) {
  const apart = gradient.numbers ? Math.max(...gradient.numbers.map((x, i) => Math.abs(Number(x) - Number(numbers[i])))) : NaN;
  const arrived = Number.isNaN(apart) ? "" : apart === 0 ? "the steps arrive at the same numbers, to the last digit"
    : `the steps arrive at the same numbers, but for ${number(apart)} of rounding`;
  return html("div", { class: "closed" }, html("p", { class: "formula" }, formula(`∂L/∂${name} = ${closed}`)),
    gradient.numbers ? tensor("in closed form", { shape: value.shape, numbers }) : null, html("p", { class: "hint" }, arrived));
}

/** How fast steps can be played. */
const SPEEDS = ["0.5", "1", "2", "4", "8"];

function legend() {
  const entry = (kind, text) => html("span", {}, svg("svg", { width: 26, height: 10, "aria-hidden": "true" },
    svg("g", { class: `edge flowed ${kind}` }, svg("path", { class: "band", d: "M2 5H24", "stroke-width": 7 }))), text);
  return html("p", { class: "legend" }, "what flows back: ", entry("plus", "positive"), entry("minus", "negative"),
    entry("both", "both"), entry("zero", "zero"), entry("non-finite", "not finite"), html("span", {}, "— wider is larger, by orders of magnitude"));
}
