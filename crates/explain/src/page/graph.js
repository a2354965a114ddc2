// The drawing of a level: boxes, and edges with the cotangents that flow back along them.

/** The space around a drawing, in which the name above a box fits as well. */
const MARGIN = 18;

/** The cotangents of some reads together: their largest size and their signs. */
function flowOf(nodes, reads) {
  const flows = reads.map(([node, slot]) => nodes[node].inputs[slot].flow).filter(Boolean);
  const least = Math.min(0, ...flows.map((flow) => Number(flow.least) || 0));
  const most = Math.max(0, ...flows.map((flow) => Number(flow.most) || 0));
  const nonFinite = flows.some((flow) => flow.nonFinite);
  const size = Math.max(-least, most);
  const sign = flows.length === 0 ? "none" : nonFinite ? "non-finite" : size === 0 ? "zero"
    : least < 0 && most > 0 ? "both" : least < 0 ? "minus" : "plus";
  return { size, sign };
}

/** The width of a band: by order of magnitude, down to a thousandth of the largest. */
function band(size, largestSize) {
  if (size === largestSize && size > 0) return 12;
  if (size === 0 || largestSize === 0) return 3;
  return 3 + 3 * Math.max(0, 3 + Math.log10(size / largestSize));
}

/**
 * Draws a level, once. `act` has the click handlers: `open(group)`, `select(node)`, `find(node)`,
 * `follow(edge)`.
 * `picture.refresh(view)` updates what is done, current and selected.
 */
function drawn(data, level, symbols, act) {
  const sizes = data.nodes.flatMap(({ inputs }, node) => inputs.map((_, slot) => flowOf(data.nodes, [[node, slot]]).size));
  const scene = { data, symbols, act, largest: Math.max(0, ...sizes), refresh: [] };
  const [width, height] = [level.width + 2 * MARGIN, level.height + 2 * MARGIN];
  const picture = svg("svg", { viewBox: `${-MARGIN} ${-MARGIN} ${width} ${height}`, class: "drawing",
    role: "group", "aria-label": "the graph of the loss" }, arrow(), inside(scene, level));
  Object.assign(picture.dataset, { width, height });
  picture.refresh = (view) => scene.refresh.forEach((refresh) => refresh(view));
  return picture;
}

function arrow() {
  return svg("defs", {}, svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8,
    markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" }, svg("path", { class: "head", d: "M0 0L8 4L0 8Z" })));
}

function inside(scene, level) {
  return [level.edges.map((edge) => edgeOf(scene, level, edge)), level.boxes.map((box) => boxOf(scene, box))];
}

/** Sets an attribute if it has changed. */
function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function edgeOf({ data, act, largest: most, refresh }, level, edge) {
  const { size, sign } = flowOf(data.nodes, edge.reads);
  const [from, to] = [level.boxes[edge.from], level.boxes[edge.to]];
  const ends = to.inside || to.kind === "output-port" || from.kind === "output-port";
  const rules = edge.reads.map(([node, slot]) => data.nodes[node].inputs[slot].flow?.rule).filter(Boolean);
  const read = edge.reads.map(([node, slot]) => data.nodes[node].inputs[slot].node);
  const between = `${[...new Set([edge.node, ...read])].map((node) => data.nodes[node].name).join(", ")} into ${to.title}`;
  // What is not computed yet, nobody is told.
  const told = (isBack) => (rules.length === 0 ? `${between}: nothing flows back`
    : isBack ? `${between}: ${rules.join("  and  ")} flows back, at most ${number(size)}` : between);
  const title = svg("title", {});
  const follows = edge.reads.length > 0;
  const follow = () => follows && act.follow(edge.reads);
  const element = svg("g", { onclick: follow, onkeydown: pressed(follow), tabindex: follows ? 0 : null, role: follows ? "button" : null },
    title,
    svg("path", { class: "reach", d: edge.path }),
    svg("path", { class: "band", d: edge.path, "stroke-width": band(size, most).toFixed(1) }),
    svg("path", { class: "course", d: edge.path, "marker-end": ends ? null : "url(#arrow)" }));
  refresh.push((view) => {
    const some = (list) => list.length > 0 && edge.reads.some(([node, slot]) => list.some(([n, s]) => n === node && s === slot));
    const isBack = edge.reads.some((read) => view.flowed(...read));
    if (title.textContent !== told(isBack)) title.textContent = told(isBack);
    if (follows) set(element, "aria-label", told(isBack));
    const classes = ["edge", sign, isBack && "flowed",
      edge.reads.some((read) => view.isCurrent(...read)) && "current", some(view.path) && "marked", some(view.edge) && "selected"];
    set(element, "class", classes.filter(Boolean).join(" "));
  });
  return element;
}

function boxOf(scene, box) {
  const { data, symbols, act, refresh } = scene;
  const members = box.nodes ?? [box.node];
  const node = members[members.length - 1];
  const [frame, group] = [box.inside !== null, box.kind === "group"];
  const port = box.kind === "input-port" || box.kind === "output-port";
  if (port && box.width === 0) return null;
  const { name, constant, formula, inputs } = data.nodes[node];
  const hazard = members.find((member) => data.nodes[member].hazards.length > 0);
  const warned = hazard !== undefined;
  const reference = box.kind === "reference";
  const click = group ? () => act.open(box.group) : reference ? () => act.find(node) : () => act.select(node);
  const what = group ? `${box.title}, a group of ${counted(members.length, "op")}: opens` : reference ? `${name}, drawn again here: shows its own box`
    : inputs.length > 0 ? `${name} = ${formula}` : name;
  const line = (text, at, kind) => text && svg("text", { class: kind, x: 8, y: 30 + 15 * at }, text);
  const [value, gradient] = frame ? [] : [line(box.lines[0], 0, "value"), line(box.lines[1], 1, "gradient")];
  const face = svg("g", { class: "face", tabindex: 0, role: "button",
    onclick: (event) => { event.stopPropagation(); click(); },
    onkeydown: pressed(click) },
    svg("title", {}, what),
    svg("rect", { width: box.width, height: frame ? 22 : box.height, rx: 6 }),
    svg("text", { class: "title", x: 8, y: 15 }, box.title),
    !frame && svg("text", { class: "shape", x: box.width - 8, y: 15, "text-anchor": "end" }, box.shape), value, gradient);
  const named = !group && !constant && name !== box.title;
  const symbol = !group && inputs.length === 0 ? symbols.find((each) => each.name === name) : undefined;
  const element = svg("g", { transform: `translate(${box.x} ${box.y})`, "data-symbol": symbol?.name, style: symbol && `--symbol: ${symbol.color}`, "data-node": group || reference ? null : node, "data-reference": reference ? node : null,
    "data-group": group ? box.group : null },
    frame && inside(scene, box.inside), face,
    frame && svg("rect", { class: "outline", width: box.width, height: box.height, rx: 8 }),
    named && badge(name, "name", 0), !frame && !reference && warned && badge("!", "warning", box.width, data.nodes[hazard].hazards[0], () => act.select(hazard)));
  refresh.push((view) => {
    const done = members.every((member) => view.hasValue(member));
    const back = Boolean(view.hasGradient(node));
    const classes = ["box", box.kind, frame && "frame", !group && inputs.length === 0 && "leaf", symbol && "symbolic", done && "done",
      members.some((member) => view.isCurrent(member)) && "current",  !group && view.node === node && "selected"];
    if (element.classList.contains("lit")) classes.push("lit");
    set(element, "class", classes.filter(Boolean).join(" "));
    // A box is called by its text. What is not computed yet is none, so that nobody reads it out.
    if (value) value.textContent = done ? box.lines[0] : "";
    if (gradient) gradient.textContent = back ? box.lines[1] : "";
  });
  return element;
}

/** Calls a handler when Enter or the space bar is pressed, as a button does. */
function pressed(act) {
  return (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };
}

/** A name on the upper edge of a box. */
function badge(text, kind, x, said = null, act = null) {
  const width = 8 + 7 * [...text].length;
  const attributes = act ? { role: "button", tabindex: 0, onclick: (event) => { event.stopPropagation(); act(); }, onkeydown: pressed(act) } : { "aria-hidden": "true" };
  return svg("g", { class: `badge ${kind}`, transform: `translate(${x - width / 2} -8)`, ...attributes }, said && svg("title", {}, said),
    svg("rect", { width, height: 15, rx: 7 }), svg("text", { x: width / 2, y: 11.5, "text-anchor": "middle" }, text));
}
