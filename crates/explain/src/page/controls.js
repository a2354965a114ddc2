// What a reader can change: the cells of the inputs, and the options of the loss.

/** The inputs and options of a loss. `changed(change)` gets new inputs, or new options, or both. */
class Controls {
  constructor(live, act) {
    this.act = act;
    this.first = { inputs: live.numbers, values: valuesOf(live) };
    this.seed = 0;
    this.message = html("p", { class: "refused", role: "alert", hidden: true });
    this.remarks = html("p", { class: "hint remarks", role: "status" });
    this.inputs = html("div", { class: "entries" });
    this.options = html("div", { class: "options" });
    this.pasting = this.pasteDialog();
    this.root = html("section", { class: "controls", "aria-label": "inputs and options" },
      html("div", { class: "tools" }, html("h2", {}, "Change a number"),
        button("Reset", "the inputs and options that the page began with", () => act.changed(this.first), { class: "reset" }),
        button("Random", "other numbers for all inputs", () => act.random((this.seed += 1)), { class: "random" }),
        button("Paste…", "your own numbers: JSON, CSV, or what NumPy prints", () => this.openPaste(), { class: "paste" })),
      this.message, this.remarks, this.inputs, this.options, this.pasting);
    this.show(live);
  }

  /** Shows a state. */
  show(live) {
    this.live = live;
    const shapes = JSON.stringify([live.inputs, live.options.map(({ name }) => name)]);
    if (shapes !== this.shapes) {
      this.build();
      requestAnimationFrame(() => this.fit());
    }
    this.shapes = shapes;
    live.inputs.forEach(({ name, shape }, at) => {
      const numbers = flat(live.numbers[name]);
      this.cells[at]?.forEach(({ field }, element) => {
        if (document.activeElement !== field || typed(field.value) !== Number(numbers[element])) put(field, numbers[element]);
        field.title = `${name} ${indexText(shape, element)} = ${numbers[element]}: drag, type, or press ↑ and ↓`;
      });
    });
    live.options.forEach((option, at) => this.fields[at].show(option));
    this.remarks.textContent = live.remarks.join("; ");
  }

  /** Shows the gradients below the numbers, of inputs that have one as soon as it is computed. */
  showSlopes(hasSlopes, slopesOf) {
    this.live.inputs.forEach(({ name }, at) => {
      const [has, slopes] = [hasSlopes(name), slopesOf(name)];
      const most = largest(slopes ?? []);
      const unmoved = this.inputs.children[at]?.querySelector(".unmoved");
      if (unmoved) unmoved.hidden = has;
      this.cells[at]?.forEach(({ slope }, element) => {
        slope.hidden = !has;
        slope.textContent = slopes ? number(slopes[element]) : "";
        slope.setAttribute("style", slopes ? shade(slopes[element], most) : "");
      });
    });
  }

  /** Makes the column as wide as its widest tensor, as far as there is space: no number is to be cut. */
  fit() {
    const widest = Math.max(0, ...[...this.inputs.querySelectorAll(".grid")].map((grid) => grid.scrollWidth));
    this.root.closest(".work")?.style.setProperty("--changes", `${widest + 32}px`);
  }

  /** Says why a change was refused; the fields keep it, so that it can be mended. */
  refuse(error) {
    this.message.hidden = error === null;
    this.message.textContent = error === null ? "" : error.message;
  }

  build() {
    const { live } = this;
    this.cells = [];
    this.inputs.replaceChildren(...live.inputs.map((input, at) => this.tensor(input, at)));
    this.fields = live.options.map((option) => optionField(option, (value) => {
      this.act.changed({ values: { ...valuesOf(this.live), [option.name]: value } });
    }));
    this.options.replaceChildren(...this.fields.map(({ root }) => root));
  }

  tensor(input, at) {
    const { name, shape, moves } = input;
    const count = numel(shape);
    const columns = Math.min(shape.at(-1) ?? 1, 8);
    const label = `${name} ${shape.length ? `[${shape.join(", ")}]` : "one number"}`;
    const shown = count <= SHOWN;
    if (shown) this.cells[at] = Array.from({ length: count }, (_, element) => this.cell(input, element));
    return html("fieldset", { class: "entry-tensor" }, html("legend", { "data-symbol": input.symbol ? name : null }, html("b", {}, name), ` ${label.slice(name.length)}`,
      moves ? null : html("small", { class: "unmoved" }, " no gradient")),
      shown ? html("div", { class: "grid", style: `--columns: ${columns}` }, byMatrix(shape, this.cells[at].map(({ root }) => root)))
        : html("p", { class: "hint" }, `${counted(count, "number")}: too many to show; paste others.`));
  }

  cell(input, element) {
    const { name, shape, whole, low, high, moves } = input;
    const limit = (x) => Math.min(high !== null && whole ? high : Infinity, Math.max(low !== null && whole ? low : -Infinity, x));
    const used = () => flat(this.live.numbers[name])[element];
    const set = (x) => this.act.changed({ inputs: { [name]: replaced(this.live.numbers[name], shape, element, x) } });
    const field = html("input", { type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false",
      "aria-label": `${name} ${indexText(shape, element)}`.trim(), "data-input": name, "data-element": element,
      oninput: () => {
        const still = `${name} ${indexText(shape, element)} is still ${used()}`;
        let [x, why] = [NaN, `“${field.value}” is no number`];
        try {
          x = typed(within(field.value));
        } catch (error) {
          why = error.message;
        }
        field.ariaInvalid = String(Number.isNaN(x));
        if (!Number.isNaN(x)) set(x);
        else this.refuse(new Error(`${why}: ${still}`));
      },
      // What is no number does not stay beside results of another one.
      onblur: () => {
        if (field.ariaInvalid !== "true") return;
        field.ariaInvalid = "false";
        put(field, used());
      },
      onfocus: () => moves && this.act.chosen(name, element) });
    const step = (event) => (whole ? 1 : event.shiftKey ? 1 : event.altKey ? 0.01 : 0.1);
    const move = (by) => { const x = limit(rounded(typed(field.value) + by)); put(field, x); set(x); };
    field.addEventListener("keydown", (event) => {
      const by = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      move(by * step(event));
    });
    draggable(field, (pixels) => move(whole ? pixels / 12 : pixels * 0.02), whole);
    const slope = html("span", { class: "slope", hidden: !moves });
    return { field, slope, root: html("span", { class: "entry" }, field, slope) };
  }

  /** Takes the inputs that the loss has, and says which it has not. */
  paste(tensors) {
    const names = [...this.live.inputs, ...this.live.options.filter(({ kind }) => kind === "tensor")].map(({ name }) => name);
    const [known, unknown] = [true, false].map((is) => Object.entries(tensors).filter(([name]) => names.includes(name) === is));
    const lost = unknown.map(([name]) => `there is no input “${name}”: expected ${names.join(", ")}`).join("; ");
    if (known.length === 0) throw new Error(lost || "there are no numbers");
    // Numbers for a tensor that is an option switch it on.
    const given = known.filter(([name]) => this.live.options.some((option) => option.name === name)).map(([name]) => [name, true]);
    this.act.changed({ inputs: Object.fromEntries(known), values: { ...valuesOf(this.live), ...Object.fromEntries(given) }, strict: true });
    if (lost) this.act.say(`Of what was pasted, not understood: ${lost}`);
  }

  /** Opens the dialog as new, at once: a dialog's own events come later, when a reader may have gone on. */
  openPaste() {
    this.into.replaceChildren(...this.live.inputs.map(({ name }) => html("option", {}, name)));
    this.wrong.textContent = "";
    this.pasting.showModal();
  }

  pasteDialog() {
    const text = html("textarea", { rows: 9, "aria-label": "numbers", placeholder: '{"logits": [[2, 1, 0]], "labels": [0]}\nor [[2. 1. 0.]] or 2, 1, 0' });
    this.into = html("select", { "aria-label": "which input" });
    this.wrong = html("p", { class: "refused", role: "alert" });
    const dialog = html("dialog", { class: "pasting", "aria-label": "paste numbers" }, html("h2", {}, "Paste numbers"), html("p", { class: "hint" }, "JSON by name, or one input as JSON, CSV, or text of NumPy or PyTorch."),
    text, html("label", {}, "into ", this.into), this.wrong, html("p", { class: "tools" }, button("Use them", "use these numbers", () => {
      this.wrong.textContent = "";
      try {
        this.paste(pasted(text.value, this.into.value));
        dialog.close();
      } catch (error) {
        this.wrong.textContent = error.message;
      }
    }), button("Cancel", "leave the numbers as they are", () => dialog.close())));
    return dialog;
  }
}

/** A number as it was typed: a comma between digits is a decimal one. */
function typed(text) {
  return numberOf(text.trim().replace(/^([+\-−]?\d*),(\d+)$/, "$1.$2"));
}

/** The most elements of an input with a cell each. */
const SHOWN = 128;

/** The values of all options, by name, as texts. */
function valuesOf(live) {
  return Object.fromEntries(live.options.map(({ name, value }) => [name, value]));
}

/** Options as the setting of a loss says them: `delta=2 weight`. */
function settingOf(options, values) {
  return options.flatMap(({ name, kind, default: usual }) => {
    const value = values[name];
    if (kind === "tensor") return value === true ? [name] : [];
    return value === undefined || value === usual ? [] : [`${name}=${value}`];
  }).join(" ");
}

/** The field of an option. */
function optionField(option, set) {
  const { name, kind, about, low, high, words } = option;
  const id = `option-${(optionField.count = (optionField.count ?? 0) + 1)}`;
  const row = (...fields) => html("div", { class: "option", title: about }, html("label", { for: id, "data-symbol": option.symbol ? name : null }, name), fields, html("small", {}, about));
  if (kind === "flag" || kind === "tensor") {
    const box = html("input", { type: "checkbox", id, "data-option": name,
      onchange: () => set(kind === "flag" ? String(box.checked) : box.checked) });
    return { root: row(box), show: ({ value }) => { box.checked = value === true || value === "true"; } };
  }
  if (kind === "word") {
    const choice = html("select", { id, "data-option": name, onchange: () => set(choice.value) }, words.map((word) => html("option", {}, word)));
    return { root: row(choice), show: ({ value }) => { choice.value = value; } };
  }
  const whole = kind === "integer" || kind === "count";
  const field = html("input", { type: "text", inputmode: "decimal", id, "data-option": name, onchange: () => set(field.value.trim()) });
  field.addEventListener("keydown", (event) => {
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!by || kind === "list") return;
    event.preventDefault();
    event.stopPropagation();
    field.value = entry(rounded(Number(field.value) + by * (whole ? 1 : 0.1)));
    set(field.value);
  });
  const put = (value) => { [field.value, field.size] = [value, Math.max(6, value.length)]; };
  if (kind !== "number") return { root: row(field), show: ({ value }) => put(value) };
  const slider = html("input", { type: "range", min: low, max: high, step: (high - low) / 200, "aria-label": `${name}, as a slider`,
    oninput: () => { field.value = slider.value; set(slider.value); } });
  return { root: row(slider, field), show: ({ value }) => {
    if (document.activeElement !== slider) slider.value = value;
    slider.setAttribute("aria-valuetext", value);
    if (document.activeElement !== field) put(value);
  } };
}

/** Moves a number by dragging its field to the side. */
function draggable(field, move, whole) {
  let start = null;
  let passed = 0;
  field.addEventListener("pointerdown", (event) => { if (event.button === 0) [start, passed] = [event.clientX, 0]; });
  field.addEventListener("pointermove", (event) => {
    if (start === null || (event.buttons & 1) === 0) return;
    const by = event.clientX - start - passed;
    if (Math.abs(passed + by) < 4 && !field.classList.contains("dragged")) return;
    if (whole && Math.abs(by) < 12) return;
    field.classList.add("dragged");
    field.setPointerCapture(event.pointerId);
    const used = whole ? Math.trunc(by / 12) * 12 : by;
    passed += used;
    move(used);
  });
  const end = () => { start = null; field.classList.remove("dragged"); };
  field.addEventListener("pointerup", end);
  field.addEventListener("pointercancel", end);
}

/** A number without the noise of adding tenths. */
function rounded(x) {
  return Number(x.toFixed(10));
}

/** Shows a number in a field that is as wide as its text. */
function put(field, value) {
  field.value = entry(value);
  // Its letters are all as wide as a 0; the rest is padding.
  field.style.width = `calc(${Math.max(4, field.value.length)}ch + 15px)`;
}

/** A number as a field shows it: four significant digits; its title has all. */
function entry(value) {
  const x = Number(value);
  if (!Number.isFinite(x)) return number(x).replace("−", "-");
  return String(Number(x.toPrecision(4)));
}

/** Nested lists as one. */
function flat(value) {
  return Array.isArray(value) ? value.flat(Infinity) : [value];
}
