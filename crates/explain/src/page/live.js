// A loss that follows its reader: what changes is computed anew by the engine.

Object.assign(Side.prototype, {
  /** Makes the controls of a page that has an engine. */
  makeLive() {
    const { act } = this;
    const ask = (kind, more) => {
      if (!act.engine) throw new Error("the engine is still starting");
      return act.engine.ask({ [kind]: this.case(), ...more });
    };
    this.trail = null;
    this.surface = new SurfaceCard({ ask: (ends) => ask("surface", ends) });
    this.controls = new Controls(this.live, {
      changed: (change) => { this.descent.stop(); this.trail = null; this.change(change); },
      say: (text) => this.say(text),
      random: (seed) => {
        try {
          this.descent.stop();
          this.change(ask("draw", { seed }));
        } catch (error) {
          this.controls.refuse(error);
        }
      },
      chosen: (name, element) => this.chooseInput(name, element),
    });
    this.descent = new Descent(this.live, {
      ask: (request) => ask("descend", request),
      go: (inputs, trail, moving) => { this.trail = trail; this.change({ inputs }, moving); },
    });
  },

  /** Says that the page is live. */
  started() {
    if (!this.changes) return;
    this.drawnLevel = undefined;
    this.show();
    if (!this.warning) this.say(null);
  },

  /** Says in the line of the page's state what was not understood, or that all is well. */
  say(warning) {
    this.warning = warning;
    this.status.classList.toggle("refused", warning !== null);
    this.status.textContent = warning
      ?? (this.changes ? "live: change any number or option, and all of this follows" : "");
  },

  /** What is explained: the loss in its setting, with its inputs. */
  case(change = {}) {
    const values = change.values ?? valuesOf(this.live);
    return { loss: this.live.loss, setting: settingOf(this.live.options, values), inputs: { ...this.live.numbers, ...change.inputs } };
  },

  /** Shows other inputs or options. What the loss cannot have is said, and all stays. */
  change(change, moving = false) {
    try {
      this.compute(this.case(change), moving);
      if (this.warning) this.say(null);
      if (change.inputs) this.act.share(this, change.inputs);
    } catch (error) {
      // What was pasted is refused where it stands.
      if (change.strict) throw error;
      this.controls.refuse(error);
    }
  },

  /** Takes those inputs of a loss beside this one that it has as well. */
  follow(inputs) {
    const known = Object.entries(inputs).filter(([name]) => this.live.inputs.some((input) => input.name === name));
    try {
      if (known.length > 0) this.compute(this.case({ inputs: Object.fromEntries(known) }), false);
    } catch (error) {
      this.controls.refuse(error);
    }
  },

  /** Computes what follows a hand at once, and the comparison with differences when it rests. */
  compute(wanted, moving) {
    if (!this.act.engine) throw new Error("the engine is still starting");
    this.update(this.sketch(wanted), moving);
    this.controls.refuse(null);
    clearTimeout(this.resting);
    if (!moving) this.resting = setTimeout(() => this.rest(wanted), 350);
  },

  /** Compares the gradients with finite differences, one at a time: a hand that changes a number again waits for one at most, and for no other. */
  rest(wanted) {
    const checks = this.found.nodes.map(() => null);
    const left = this.found.nodes.flatMap(({ gradient, passive }, node) => (gradient && !passive ? [node] : []));
    const next = () => {
      try {
        if (left.length > 0) {
          const node = left.shift();
          checks[node] = this.act.engine.ask({ check: wanted, node }).check;
          this.resting = setTimeout(next);
        } else {
          const rest = this.act.engine.ask({ rest: wanted, checks });
          this.update({ ...this.found, ...rest, nodes: this.found.nodes.map((node, at) => ({ ...node, check: checks[at] })) }, false);
        }
      } catch (error) {
        this.controls.refuse(new Error(`not compared with finite differences: ${error.message}`));
      }
    };
    next();
  },

  /** What is seen of a case: the rest of it comes when the hand rests. */
  sketch(wanted) {
    return this.act.engine.ask({ page: wanted, curves: this.chosen(), steps: this.written(), shows: [this.view, this.level] });
  },

  /** The steps whose arithmetic is seen: that of the card, and the edges that are chosen. */
  written() {
    const { step } = this;
    const shown = !step || step.kind === "seed" || this.done === this.steps.length ? [] : [step.kind === "forward" ? [step.node] : [step.node, step.slot]];
    return [...shown, ...this.edge];
  },

  /** Has the arithmetic of what is seen written out, where nobody looked at it yet. */
  writeOut() {
    if (!this.changes || !this.act.engine) return;
    const { nodes } = this.data;
    const lacks = ([node, slot]) => (slot === undefined ? !nodes[node].forward : nodes[node].inputs[slot].flow && !nodes[node].inputs[slot].flow.lines);
    const missing = this.written().filter(lacks);
    if (missing.length > 0) this.fill(this.sketch(this.case()).nodes, missing);
  },

  /** Has the arithmetic of all steps written out. */
  writeOutAll() {
    if (!this.changes || !this.act.engine) return;
    const all = this.data.nodes.flatMap(({ inputs }, node) => [[node], ...inputs.flatMap(({ flow }, slot) => (flow ? [[node, slot]] : []))]);
    this.fill(this.act.engine.ask({ page: this.case(), curves: [], shows: [this.view, this.level] }).nodes, all);
  },

  /** Takes the arithmetic of some steps from nodes that have it. */
  fill(found, steps) {
    steps.forEach(([node, slot]) => {
      if (slot === undefined) this.data.nodes[node].forward = found[node].forward;
      else this.data.nodes[node].inputs[slot].flow = found[node].inputs[slot].flow;
    });
  },

  /** The element whose curve is shown, in a list. */
  chosen() {
    const input = this.data.inputs.find(({ node }) => node === this.node);
    return input && this.element !== null ? [[this.data.nodes[this.node].name, this.element]] : [];
  },

  /** An input with the paths and the curve of an element: the engine makes them when they are seen first. */
  worked(input, element) {
    const at = input.elements.indexOf(element);
    if ((!input.paths || !input.curves[at]) && this.changes && this.act.engine) {
      const found = this.sketch(this.case()).inputs.find(({ node }) => node === input.node);
      if (found) Object.assign(input, found, { curves: input.curves.map((known, i) => known ?? found.curves[i]) });
    }
    return input;
  },

  /** Shows what the engine found. Step, level and choice stay where the loss has the same ops. */
  update(found, moving) {
    const before = this.data;
    const alike = sameOps(before, found);
    const path = this.levelPath();
    this.take({ ...found, formula: before.formula, title: before.title });
    this.live = found.live;
    this.slider.max = this.steps.length;
    if (!alike) {
      this.done = this.steps.length;
      const name = before.nodes[this.node].name;
      const same = found.nodes.findIndex((node) => node.name === name && node.inputs.length === 0);
      this.node = same >= 0 ? same : this.data.inputs[0]?.node ?? found.nodes.length - 1;
      [this.edge, this.path, this.element] = [[], [], null];
    }
    if (this.level !== "all") this.level = alike ? this.levelAt(path) : null;
    this.controls.show(this.live);
    // Not while a number moves: a column that follows it would be restless.
    if (found.checked !== null) this.controls.fit();
    this.showHead();
    if (found.listing !== null) this.root.querySelector("details.text pre").textContent = found.listing;
    this.show();
    this.surface.show(this.live, this.trail, moving);
  },

  /** Selects an element of an input, with its paths and its curve. */
  chooseInput(name, element) {
    const input = this.data.inputs.find(({ node }) => this.data.nodes[node].name === name);
    if (!input || !input.elements.includes(element)) return;
    if (this.node !== input.node) this.select(input.node);
    this.choose(element);
  },

  numbers() {
    return this.live ? this.live.numbers : Object.fromEntries(this.data.nodes.filter(({ inputs, constant, value }) => inputs.length === 0 && !constant && value.numbers)
      .map(({ name, value }) => [name, value.numbers]));
  },

  /** The state as parameters of a link: what is as it was in the beginning is left out. */
  state() {
    const state = {};
    if (this.view === "ops") state.view = "ops";
    if (this.done < this.steps.length) state.step = String(this.done);
    if (this.level === "all") state.open = "all";
    else if (this.level !== null) state.open = this.groupPath(this.level);
    const { name } = this.data.nodes[this.node];
    if (this.element !== null) state.at = `${name}.${this.element}`;
    else if (this.node !== (this.data.inputs[0]?.node ?? -1)) state.node = String(this.node);
    if (this.changes) {
      for (const { name, value } of this.live.options) {
        if (value !== this.controls.first.values[name]) state[name] = value;
      }
      for (const { name } of this.live.inputs) {
        if (JSON.stringify(this.live.numbers[name]) !== JSON.stringify(this.controls.first.inputs[name])) state[name] = JSON.stringify(this.live.numbers[name]);
      }
    }
    return state;
  },

  /** The group of the whole loss: there is none where its inside can be seen at once. */
  whole() {
    const at = this.tree.groups.findIndex(({ name, parent }) => parent === null && name === this.data.title);
    return at < 0 ? null : at;
  },

  /** Where the level is: the names of its groups inside of the whole loss, or null outside of that. */
  levelPath() {
    const whole = this.whole();
    if (this.level === whole) return "";
    if (typeof this.level !== "number") return null;
    return this.groupPath(this.level).slice(whole === null ? 0 : this.data.title.length + 1);
  },

  /** The level of a path. Folds follow the numbers, and so do the groups: where it is none any more, it is the whole loss. */
  levelAt(path) {
    const whole = this.whole();
    if (path === null || path === "") return path === null ? null : whole;
    const inner = whole === null ? path : `${this.data.title}/${path}`;
    const at = this.tree.groups.findIndex((_, group) => this.groupPath(group) === inner);
    return at < 0 ? whole : at;
  },

  groupPath(group) {
    const names = [];
    for (let at = group; typeof at === "number"; at = this.tree.groups[at].parent) names.unshift(this.tree.groups[at].name);
    return names.join("/");
  },

  /** Goes to the state of a link, and says what of it was not understood. */
  restore(given) {
    const state = Object.fromEntries(given);
    const lost = [];
    const lose = (name, why, text = state[name]) => lost.push(`${name}=${text.slice(0, 40)} (${why})`);
    given.forEach(([name, text], at) => given.slice(at + 1).some(([later]) => later === name) && lose(name, "it comes again, and the last one is taken", text));
    if (this.changes && this.act.engine) this.restoreNumbers(state, lose);
    else Object.keys(state).filter((name) => !PLACE.includes(name)).forEach((name) => lose(name, "this page has no engine"));
    this.restorePlace(state, lose);
    if (lost.length > 0) this.say(`Not understood in the link: ${lost.join("; ")}`);
    else if (this.warning) this.say(null);
    this.show();
  },

  /** The inputs and options of a link. */
  restoreNumbers(state, lose) {
    const wanted = { values: { ...this.controls.first.values }, inputs: { ...this.controls.first.inputs } };
    const from = [];
    for (const [name, text] of Object.entries(state).filter(([each]) => !PLACE.includes(each))) {
      const option = this.live.options.find((each) => each.name === name);
      const isTensor = name in wanted.inputs || option?.kind === "tensor";
      if (!option && !isTensor) lose(name, "there is no such input or option");
      else if (!isTensor) from.push([name, { values: { [name]: text } }]);
      else if (option && /^(true|false)$/.test(text)) from.push([name, { values: { [name]: text === "true" } }]);
      else {
        try {
          from.push([name, { inputs: { [name]: nested(parsed(text), name) }, values: option ? { [name]: true } : {} }]);
        } catch (error) {
          lose(name, error instanceof RangeError ? error.message : "expected numbers, such as [[1, 2], [3, 4]]");
        }
      }
    }
    const joined = (all) => all.reduce(({ values, inputs }, each) => ({ values: { ...values, ...each.values }, inputs: { ...inputs, ...each.inputs } }), wanted);
    const goTo = (all) => {
      const change = joined(all);
      const is = (a, b) => JSON.stringify(a) === JSON.stringify(b);
      if (!is(change.values, valuesOf(this.live)) || !is(change.inputs, this.live.numbers)) this.compute(this.case(change), false);
    };
    try {
      goTo(from.map(([, change]) => change));
    } catch {
      // What the loss cannot have is left out, and the rest is taken.
      const taken = [];
      from.forEach(([name, change]) => {
        try {
          goTo([...taken, change]);
          taken.push(change);
        } catch (error) {
          lose(name, error.message.split("\n")[0]);
        }
      });
    }
  },

  /** The view, the step, the level and the choice of a link. */
  restorePlace(state, lose) {
    const { nodes } = this.data;
    const whole = (name, most) => {
      if (/^\d+$/.test(state[name]) && Number(state[name]) <= most) return Number(state[name]);
      lose(name, `expected a number from 0 to ${most}`);
      return null;
    };
    if ("view" in state && !["ops", "teaching"].includes(state.view)) lose("view", "expected ops or teaching");
    if ((state.view === "ops") !== (this.view === "ops")) this.look(state.view === "ops" ? "ops" : "teaching");
    const step = "step" in state ? whole("step", this.steps.length) : null;
    if (step !== null) this.go(step);
    const group = this.tree.groups.findIndex((_, at) => this.groupPath(at) === state.open);
    if ("open" in state && state.open !== "all" && group < 0) lose("open", "there is no such group");
    this.level = state.open === "all" ? "all" : group >= 0 ? group : step !== null ? this.level : null;
    const [, name, element] = /^(.*)\.(\d+)$/.exec(state.at ?? "") ?? [];
    const at = nodes.findIndex((each) => each.name === name);
    if (at >= 0 && Number(element) < numel(nodes[at].value.shape)) [this.node, this.element] = [at, Number(element)];
    else if ("at" in state) lose("at", "there is no such element");
    else if ("node" in state) this.node = whole("node", nodes.length - 1) ?? this.node;
  },
});

/** What of a link is no input and no option. */
const PLACE = ["step", "at", "node", "open", "view", "embed"];

/** Whether two computations have the same ops on the same inputs. */
function sameOps(a, b) {
  const ops = ({ nodes }) => nodes.map(({ op, inputs }) => `${op} ${inputs.map(({ node }) => node)}`).join("|");
  return ops(a) === ops(b);
}
