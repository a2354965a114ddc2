// The loss over two elements of the inputs: a heat map with lines of equal loss, and where it is now.

/** The card of the surface. `act.ask(request)` asks the engine. */
class SurfaceCard {
  constructor(act) {
    this.act = act;
    const choice = (label) => html("select", { "aria-label": label, onchange: () => this.sample() });
    this.across = choice("element across");
    this.up = choice("element upward");
    this.canvas = html("div", {});
    this.root = html("details", { class: "card surface", ontoggle: () => this.sample() }, html("summary", {}, "The loss over two elements"),
      html("p", { class: "tools" }, html("label", {}, "across ", this.across), html("label", {}, "up ", this.up)), this.canvas);
    this.trail = [];
  }

  /** Takes other inputs; while they move, the surface stays the one where the move began. */
  show(live, trail, moving) {
    const names = live.inputs.filter(({ moves }) => moves).flatMap(({ name, shape }) => {
      const count = numel(shape);
      return Array.from({ length: Math.min(count, 64) }, (_, element) => [`${name} ${indexText(shape, element)}`.trim(), `${name} ${element}`]);
    });
    this.live = live;
    this.trail = trail ?? [];
    if (names.map(([text]) => text).join() !== this.names) {
      this.names = names.map(([text]) => text).join();
      [this.across, this.up].forEach((select, at) => {
        select.replaceChildren(...names.map(([text, value]) => html("option", { value }, text)));
        select.selectedIndex = Math.min(at, names.length - 1);
      });
    }
    this.root.hidden = names.length < 2;
    if (moving) this.draw();
    else this.sample();
  }

  ends() {
    return [this.across, this.up].map(({ value }) => { const at = value.lastIndexOf(" "); return [value.slice(0, at), Number(value.slice(at + 1))]; });
  }

  sample() {
    if (!this.root.open || this.root.hidden) return;
    const [across, up] = this.ends();
    if (across.join() === up.join()) return this.canvas.replaceChildren(html("p", { class: "hint" }, "Choose two different elements."));
    try {
      this.found = this.act.ask({ across, up });
      this.draw();
    } catch (error) {
      this.canvas.replaceChildren(html("p", { class: "refused" }, error.message));
    }
  }

  draw() {
    if (!this.found || !this.root.open) return;
    const { xs, ys, values } = this.found;
    const [width, height, left, bottom] = [380, 300, 44, 22];
    const all = values.flat().map(Number).filter(Number.isFinite);
    if (all.length === 0) return this.canvas.replaceChildren(html("p", { class: "hint" }, "No surface: the loss is finite nowhere on it."));
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const x = (value) => left + ((value - xs[0]) / (xs.at(-1) - xs[0])) * (width - left - 6);
    const y = (value) => height - bottom - ((value - ys[0]) / (ys.at(-1) - ys[0])) * (height - bottom - 6);
    const [dx, dy] = [x(xs[1]) - x(xs[0]), y(ys[0]) - y(ys[1])];
    const level = (value) => (high > low ? (Number(value) - low) / (high - low) : 0);
    const cells = values.flatMap((row, j) => row.map((value, i) => svg("rect", { x: x(xs[i]) - dx / 2, y: y(ys[j]) - dy / 2, width: dx + 0.4, height: dy + 0.4,
      style: Number.isFinite(Number(value)) ? `fill: color-mix(in oklab, var(--minus) ${(100 * level(value) ** 0.6).toFixed(0)}%, var(--plus))` : "fill: var(--alarm)" })));
    // Even steps of the root, so that lines are not all at the steep end.
    const lines = [1, 2, 3, 4, 5, 6, 7].map((k) => low + (high - low) * (k / 8) ** 2).map((value) => svg("path", { class: "contour", d: contour(xs, ys, values, value, x, y) }));
    const [across, up] = this.ends();
    const at = (inputs, [name, element]) => Number(flat(inputs[name])[element]);
    const trail = this.trail.map((inputs) => `${x(at(inputs, across)).toFixed(1)} ${y(at(inputs, up)).toFixed(1)}`);
    const now = [x(at(this.live.numbers, across)), y(at(this.live.numbers, up))];
    const least = values.flatMap((row, j) => row.map((value, i) => [Number(value), i, j])).filter(([value]) => value === low)[0];
    const text = (px, py, anchor, said) => svg("text", { x: px, y: py, "text-anchor": anchor }, said);
    this.canvas.replaceChildren(drawable(svg("svg", { class: "plot landscape", viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": `the loss from ${number(low)} to ${number(high)}; it is least at ${number(xs[least[1]])}, ${number(ys[least[2]])}` },
      svg("svg", { x: left, y: 0, width: width - left, height: height - bottom, viewBox: `${left} 0 ${width - left} ${height - bottom}` }, cells, lines,
        trail.length > 1 && svg("path", { class: "trail", d: `M${trail.join("L")}` }),
        svg("path", { class: "least", d: `M${x(xs[least[1]]) - 4} ${y(ys[least[2]])}h8m-4 -4v8` }),
        svg("circle", { class: "here", cx: now[0], cy: now[1], r: 5.5 })),
      text(left, height - 6, "start", number(xs[0])), text(width - 6, height - 6, "end", number(xs.at(-1))), text((left + width) / 2, height - 6, "middle", this.across.selectedOptions[0].text),
      text(left - 4, 12, "end", number(ys.at(-1))), text(left - 4, height - bottom, "end", number(ys[0]))), "the loss"),
      html("p", { class: "hint" }, `up: ${this.up.selectedOptions[0].text}; blue is low, ${number(low)}, orange high, ${number(high)}; + is the least of the grid, the dot where it is now`));
  }
}

/** A line of equal value: in each cell of the grid, where its edges are crossed. */
function contour(xs, ys, values, level, x, y) {
  let path = "";
  const between = (a, b, u, v) => u + ((level - a) / (b - a)) * (v - u);
  for (let j = 0; j + 1 < ys.length; j += 1) {
    for (let i = 0; i + 1 < xs.length; i += 1) {
      const [a, b, c, d] = [values[j][i], values[j][i + 1], values[j + 1][i + 1], values[j + 1][i]].map(Number);
      if (![a, b, c, d].every(Number.isFinite)) continue;
      const points = [];
      if ((a < level) !== (b < level)) points.push([between(a, b, xs[i], xs[i + 1]), ys[j]]);
      if ((b < level) !== (c < level)) points.push([xs[i + 1], between(b, c, ys[j], ys[j + 1])]);
      if ((c < level) !== (d < level)) points.push([between(d, c, xs[i], xs[i + 1]), ys[j + 1]]);
      if ((d < level) !== (a < level)) points.push([xs[i], between(a, d, ys[j], ys[j + 1])]);
      for (let k = 0; k + 1 < points.length; k += 2) {
        path += `M${x(points[k][0]).toFixed(1)} ${y(points[k][1]).toFixed(1)}L${x(points[k + 1][0]).toFixed(1)} ${y(points[k + 1][1]).toFixed(1)}`;
      }
    }
  }
  return path;
}
