// What goes onto paper: each level by itself, as large as it can be read, and all steps.

/** The space of a page, of A4 as of Letter, in pixels. */
const PAPER = { width: 730, height: 930 };
/** The scale of drawings on paper: their text has 6.5 points; and of one that is drawn smaller rather than cut, 4 points at least. */
const [ON_PAPER, WHOLE_ON_PAPER] = [0.779, 0.5];
/** On more pages than these, nobody finds their way in a drawing: rather is it drawn smaller, down to a scale. */
const [MOST_PARTS, SMALLEST_ON_PAPER] = [6, 0.3];

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
    const [upright, turned] = [[PAPER.width, PAPER.height], [PAPER.height, PAPER.width]].map(([width, height]) => Math.min(ON_PAPER, width / across, height / down));
    const isTurned = upright < turned && upright < 0.7 && turned >= WHOLE_ON_PAPER;
    const whole = isTurned ? turned : upright;
    const { width, height } = isTurned ? { width: PAPER.height, height: PAPER.width } : PAPER;
    let scale = whole >= WHOLE_ON_PAPER ? whole : ON_PAPER;
    let parts = partsOf(level, width / scale, height / scale);
    for (; parts.length > MOST_PARTS && scale > SMALLEST_ON_PAPER; parts = partsOf(level, width / scale, height / scale)) scale *= 0.9;
    if (parts.length > MOST_PARTS) {
      return [html("figure", {}, html("figcaption", {}, name), html("p", {}, `Not drawn: its ${counted(level.boxes.length, "box", "boxes")} would take ${counted(parts.length, "page")}. The text at the end has all of them.`))];
    }
    return parts.map(([[left, right], [top, bottom]], at) => {
      const part = drawing.cloneNode(true);
      const [x, y, across, down] = [left - MARGIN, top - MARGIN, right - left, bottom - top];
      const box = isTurned ? [y, -x - across, down, across] : [x, y, across, down];
      if (isTurned) part.replaceChildren(svg("g", { transform: "rotate(-90)" }, ...part.childNodes));
      part.setAttribute("viewBox", box.join(" "));
      part.setAttribute("width", Math.floor(box[2] * scale));
      part.setAttribute("height", Math.floor(box[3] * scale));
      return html("figure", {}, html("figcaption", {}, name, parts.length > 1 ? `, part ${at + 1} of ${parts.length}` : ""), part);
    });
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

/** The parts of a level with something in them, so wide and high at most, and no higher than that: from where to where across, and down. */
function partsOf({ boxes, width, height }, widest, highest) {
  const columns = cuts(boxes.map(({ x, width: across }) => [x, x + across]), width + 2 * MARGIN, widest);
  const rows = cuts(boxes.map(({ y, height: down }) => [y, y + down]), height + 2 * MARGIN, highest);
  const meets = ([from, to], at, long) => at + MARGIN < to && at + MARGIN + long > from;
  return rows.flatMap((row) => columns.flatMap((column) => {
    const inside = boxes.filter((box) => meets(column, box.x, box.width) && meets(row, box.y, box.height));
    const [top, bottom] = [Math.min(...inside.map(({ y }) => y)), Math.max(...inside.map(({ y, height: down }) => y + down + 2 * MARGIN))];
    return inside.length > 0 ? [[column, [Math.max(row[0], top), Math.min(row[1], bottom)]]] : [];
  }));
}

/** Where to cut a length into pieces of a size at most: as even as can be without cutting a box. */
function cuts(boxes, length, most) {
  const pieces = [];
  for (let start = 0; start < length;) {
    const even = start + (length - start) / Math.ceil((length - start) / most);
    const places = boxes.flatMap(([from, to]) => [from + MARGIN - 6, to + MARGIN + 6]).filter((at) => at > (start + even) / 2 && at <= start + most
      && boxes.every(([from, to]) => to + MARGIN <= at || from + MARGIN >= at));
    const end = length - start <= most ? length : places.sort((a, b) => Math.abs(a - even) - Math.abs(b - even))[0] ?? even;
    pieces.push([start, end]);
    start = end;
  }
  return pieces;
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
