// What goes onto paper: each level by itself, as large as it can be read, and all steps.

/** The space of a page, of A4 as of Letter, in pixels. */
const PAPER = { width: 730, height: 930 };
/** The scale of drawings on paper: their text has 6.5 points; and of one that is drawn smaller rather than cut, 4 points at least. */
const [ON_PAPER, WHOLE_ON_PAPER] = [0.779, 0.5];
/** The height of a line of text below a drawing. */
const LINE = 18;
/** On more pages than these, nobody finds their way in a drawing: rather is it drawn smaller, down to a scale. */
const [MOST_PAGES, SMALLEST_ON_PAPER] = [6, 0.3];

Object.assign(Side.prototype, {
  /** Puts all levels of the loss onto paper: the whole loss, and the inside of each group that does something. */
  layOut() {
    const { tree } = this.act.engine && this.changes ? { tree: this.act.engine.ask({ page: this.case(), curves: [], steps: [] }).views[this.view] } : this;
    // What is one op with its views says nothing that its box does not.
    const ops = (group) => tree.within.filter((within, node) => within === group && this.data.nodes[node].inputs.length > 0 && !this.data.nodes[node].transparent).length;
    // Of what repeats, the first copy is like all.
    const isCopy = ({ name, parent }) => parent !== null && (/ × \d+$/.test(tree.groups[parent].name) && !name.endsWith(" 1") || isCopy(tree.groups[parent]));
    const says = (group, at) => group.level && !group.idle && !isCopy(group) && (ops(at) > 1 || tree.groups.some(({ parent }) => parent === at));
    // Those of one height stand beside one another.
    const tall = ([figure]) => Number(figure.querySelector("svg")?.getAttribute("height") ?? 0);
    const inner = tree.groups.filter(says).map(({ name, level }) => this.onPaper(name, level)).sort((a, b) => tall(b) - tall(a));
    this.paper = html("section", { class: "levels" }, this.onPaper("the whole loss", tree.top), inner);
    this.root.querySelector(".work").before(this.paper);
  },

  /** A level on one page, upright or turned, or on as many as it needs. */
  onPaper(name, level) {
    const drawing = drawn(this.data, level, this.symbols, {});
    drawing.refresh({ node: null, edge: [], path: [], hasValue: () => true, hasGradient: (node) => this.data.nodes[node].gradient !== null, flowed: () => true, isCurrent: () => false });
    const [across, down] = [level.width + 2 * MARGIN, level.height + 2 * MARGIN];
    const tall = PAPER.height - LINE * this.warnings(level.boxes).length;
    const [upright, turned] = [[PAPER.width, tall], [tall, PAPER.width]].map(([width, height]) => Math.min(ON_PAPER, width / across, height / down));
    const isTurned = upright < turned && upright < 0.7 && turned >= WHOLE_ON_PAPER;
    const whole = isTurned ? turned : upright;
    const [width, height] = isTurned ? [tall, PAPER.width] : [PAPER.width, tall];
    let scale = whole >= WHOLE_ON_PAPER ? whole : ON_PAPER;
    let parts = partsOf(level, width / scale, height / scale);
    // Low parts share a page.
    const pages = () => Math.ceil(parts.reduce((sum, { region: [, [top, bottom]] }) => sum + (bottom - top) * scale, 0) / height);
    for (; pages() > MOST_PAGES && scale > SMALLEST_ON_PAPER; parts = partsOf(level, width / scale, height / scale)) scale *= 0.9;
    if (pages() > MOST_PAGES) {
      return [html("figure", {}, html("figcaption", {}, name), html("p", {}, `Not drawn: its ${counted(level.boxes.length, "box", "boxes")} would take ${counted(pages(), "page")}. The text at the end has all of them.`))];
    }
    return parts.map(({ boxes, region: [[left, right], [top, bottom]] }, at) => {
      const part = drawing.cloneNode(true);
      const own = new Set(boxes.map(({ x, y }) => `translate(${x} ${y})`));
      part.querySelectorAll(":scope > .box").forEach((box) => own.has(box.getAttribute("transform")) || box.remove());
      const [x, y, across, down] = [left - MARGIN, top - MARGIN, right - left, bottom - top];
      const box = isTurned ? [y, -x - across, down, across] : [x, y, across, down];
      if (isTurned) part.replaceChildren(svg("g", { transform: "rotate(-90)" }, ...part.childNodes));
      part.setAttribute("viewBox", box.join(" "));
      part.setAttribute("width", Math.floor(box[2] * scale));
      part.setAttribute("height", Math.floor(box[3] * scale));
      return html("figure", {}, html("figcaption", {}, name, parts.length > 1 ? `, part ${at + 1} of ${parts.length}` : ""), part, this.warnings(boxes).map((text) => html("p", { class: "hazard" }, text)));
    });
  },

  /** What the “!” of some boxes stand for: nobody can click them on paper. */
  warnings(boxes) {
    const warned = boxes.filter(({ kind }) => kind !== "reference").flatMap(({ title, node, nodes }) => {
      const hazard = (nodes ?? [node]).flatMap((member) => this.data.nodes[member].hazards)[0];
      return hazard ? [[hazard, title]] : [];
    });
    return [...new Set(warned.map(([hazard]) => hazard))].map((hazard) => `! ${[...new Set(warned.filter(([each]) => each === hazard).map(([, title]) => title))].join(", ")}: ${hazard}`);
  },

  /** Prints all steps, one after the other, below the levels. */
  handout() {
    this.writeOutAll();
    const steps = this.steps.map((_, at) => html("li", {}, description(this.data.nodes, this.steps, at + 1)));
    const sheet = html("section", { class: "handout" }, html("h2", {}, "All steps"), html("ol", {}, steps));
    this.root.append(sheet);
    document.body.classList.add("printing-steps");
    print();
    document.body.classList.remove("printing-steps");
    sheet.remove();
  },
});

/** The parts of a level, so wide and high at most: the boxes of each, all of them whole, and from where to where it goes across, and down. */
function partsOf({ boxes, width, height }, widest, highest) {
  if (width + 2 * MARGIN <= widest && height + 2 * MARGIN <= highest) return [{ boxes, region: [[0, width + 2 * MARGIN], [0, height + 2 * MARGIN]] }];
  return strips(boxes, "y", "height", highest).flatMap((row) => strips(row, "x", "width", widest)).map((inside) => ({ boxes: inside,
    region: [["x", "width"], ["y", "height"]].map(([at, long]) => [Math.min(...inside.map((box) => box[at])), Math.max(...inside.map((box) => box[at] + box[long])) + 2 * MARGIN]) }));
}

/** Boxes in strips of a size at most, which hold as many as they can. Where no straight line goes between boxes, strips overlap, and each box is in one of them. */
function strips(boxes, at, long, most) {
  const found = [];
  for (let left = boxes.filter((box) => box[long] > 0); left.length > 0;) {
    const start = Math.min(...left.map((box) => box[at]));
    const isIn = (box) => box[at] === start || box[at] + box[long] + 2 * MARGIN - start <= most;
    found.push(left.filter(isIn));
    left = left.filter((box) => !isIn(box));
  }
  return found;
}

// On paper, all steps are done.
let saved = [];
addEventListener("beforeprint", () => {
  saved = sides.map(({ done }) => done);
  sides.forEach((side) => {
    side.done = side.steps.length;
    side.root.querySelector("details.text").open = true;
    side.show();
    side.layOut();
  });
});
addEventListener("afterprint", () => sides.forEach((side, at) => {
  side.paper.remove();
  side.done = saved[at];
  side.show();
}));
