// The frame around a drawing: zoom, pan, fit, a map of the whole, and the full screen.

/** The size of text in a drawing, the least that can be read, and one to read at ease, in pixels. */
const [TEXT, LEAST, READABLE] = [11, 6.5, 9];

/** A frame in which a drawing can be moved. */
class Frame {
  constructor() {
    this.scale = null; // null: fitted to the frame
    this.isWhole = false; // whether that is so even if it cannot be read
    this.map = html("div", { class: "map", "aria-hidden": "true", hidden: true });
    this.scroller = html("div", { class: "picture", tabindex: -1, onscroll: () => this.showPart() });
    const zoom = html("div", { class: "zoom", role: "group", "aria-label": "zoom" },
      button("−", "smaller (-)", () => this.zoom(1 / 1.25)), button("+", "larger (+)", () => this.zoom(1.25)),
      button("fit", "fit to the frame (0)", () => this.fit()), button("full", "full screen (f)", () => this.fullScreen(), { class: "full" }));
    this.tools = html("div", { class: "frame-tools" }, zoom);
    this.root = html("div", { class: "frame" }, this.tools, this.scroller);
    this.listen();
  }

  listen() {
    const { scroller } = this;
    // The frame has what the rest of the page leaves it.
    new ResizeObserver(() => this.resize()).observe(scroller);
    scroller.addEventListener("wheel", (event) => {
      if (event.shiftKey) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), [event.clientX, event.clientY]);
    }, { passive: false });
    const fingers = new Map();
    let [pinched, moved] = [null, 0];
    scroller.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
      [pinched, moved] = [null, 0];
    });
    // The end of a drag is no click.
    scroller.addEventListener("click", (event) => { if (moved > 5) event.stopPropagation(); }, { capture: true });
    addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const now = [event.clientX, event.clientY];
      if (fingers.size === 1) {
        moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
        if (event.pointerType === "mouse") {
          scroller.scrollLeft -= now[0] - before[0];
          scroller.scrollTop -= now[1] - before[1];
        }
        fingers.set(event.pointerId, now);
        return;
      }
      fingers.set(event.pointerId, now);
      const [[ax, ay], [bx, by]] = [...fingers.values()];
      const distance = Math.hypot(ax - bx, ay - by);
      if (pinched) this.zoom(distance / pinched, [(ax + bx) / 2, (ay + by) / 2]);
      pinched = distance;
    });
    const up = (event) => { fingers.delete(event.pointerId); pinched = null; };
    addEventListener("pointerup", up);
    addEventListener("pointercancel", up);
    this.map.addEventListener("pointerdown", (event) => {
      const box = this.map.getBoundingClientRect();
      scroller.scrollLeft = ((event.clientX - box.left) / box.width) * scroller.scrollWidth - scroller.clientWidth / 2;
      scroller.scrollTop = ((event.clientY - box.top) / box.height) * scroller.scrollHeight - scroller.clientHeight / 2;
    });
  }

  /**
   * Shows a drawing; one of the same level keeps its place. While a number moves, the scale is held: so
   * nothing jumps, and nothing is measured, which would lay out the whole page once more.
   */
  show(drawing, keep, hold) {
    this.drawing = drawing;
    if (keep && hold) {
      this.draw(this.drawnAt);
      this.scroller.replaceChildren(drawing);
      return;
    }
    const [left, top] = [this.scroller.scrollLeft, this.scroller.scrollTop];
    this.scroller.replaceChildren(drawing);
    if (!keep) [this.scale, this.isWhole] = [null, false];
    this.resize();
    if (keep) [this.scroller.scrollLeft, this.scroller.scrollTop] = [left, top];
    this.showPart();
  }

  /** Shows all of the drawing, however small. */
  fit() {
    [this.scale, this.isWhole] = [null, true];
    this.resize();
  }

  /** The scale at which all is seen. Where its text could not be read at that, one at which it fits one way, and can. */
  fitted() {
    const { width, height } = this.drawing.dataset;
    const fits = [((this.scroller.clientWidth || 800) - 2) / width, ((this.scroller.clientHeight || 560) - 2) / height];
    const whole = Math.min(...fits, 2.4);
    if (this.isWhole || whole * TEXT >= LEAST) return whole;
    return Math.max(LEAST, Math.min(READABLE, Math.max(...fits) * TEXT)) / TEXT;
  }

  resize() {
    if (!this.drawing) return;
    this.draw(this.scale ?? this.fitted());
    if (this.scale === null) {
      this.scroller.scrollLeft = (this.scroller.scrollWidth - this.scroller.clientWidth) / 2;
      // Where not all is seen, what is chosen is.
      const chosen = this.drawing.querySelector(".box.selected > .face");
      if (chosen) this.reveal(chosen);
    }
    this.showPart();
  }

  /** Draws at a scale. */
  draw(scale) {
    this.drawnAt = scale;
    this.drawing.setAttribute("width", Math.floor(this.drawing.dataset.width * scale));
    this.drawing.setAttribute("height", Math.floor(this.drawing.dataset.height * scale));
  }

  /** Zooms around a point of the window, or the middle of the frame. */
  zoom(factor, point = null) {
    const { scroller } = this;
    const box = scroller.getBoundingClientRect();
    const [x, y] = point ? [point[0] - box.left, point[1] - box.top] : [box.width / 2, box.height / 2];
    const before = this.scale ?? this.fitted();
    this.scale = Math.min(8, Math.max(0.15, before * factor));
    const by = this.scale / before;
    const [left, top] = [scroller.scrollLeft, scroller.scrollTop];
    this.resize();
    scroller.scrollLeft = (left + x) * by - x;
    scroller.scrollTop = (top + y) * by - y;
  }

  /** The map: the whole drawing, and the part that is seen. Only where not all of it is. */
  showPart() {
    const { scroller, map, drawing } = this;
    const hidden = !drawing || scroller.clientWidth === 0 || (scroller.scrollWidth <= scroller.clientWidth + 1 && scroller.scrollHeight <= scroller.clientHeight + 1);
    map.hidden = hidden;
    scroller.classList.toggle("more", !hidden);
    if (hidden) return;
    const { scrollLeft, scrollTop } = scroller;
    const beyond = { left: scrollLeft, right: scroller.scrollWidth - scroller.clientWidth - scrollLeft, top: scrollTop, bottom: scroller.scrollHeight - scroller.clientHeight - scrollTop };
    Object.entries(beyond).forEach(([edge, length]) => scroller.style.setProperty(`--${edge}`, `${Math.min(24, length)}px`));
    const [width, height] = [Number(drawing.dataset.width), Number(drawing.dataset.height)];
    const size = Math.min(150 / width, 60 / height);
    if (this.mapped !== drawing) {
      this.mapped = drawing;
      const boxes = [...drawing.querySelectorAll(".box > .face > rect")].map((rect) => {
        const at = rect.getCTM().multiply(drawing.getCTM().inverse());
        return svg("rect", { x: at.e, y: at.f, width: rect.getAttribute("width"), height: rect.getAttribute("height"), rx: 6 });
      });
      this.part = svg("rect", { class: "part" });
      map.replaceChildren(svg("svg", { viewBox: drawing.getAttribute("viewBox"), width: width * size, height: height * size }, boxes, this.part));
    }
    const scale = Number(drawing.getAttribute("width")) / width;
    const [x, y] = drawing.getAttribute("viewBox").split(" ").map(Number);
    const place = { x: x + scroller.scrollLeft / scale, y: y + scroller.scrollTop / scale, width: scroller.clientWidth / scale, height: scroller.clientHeight / scale };
    Object.entries(place).forEach(([name, value]) => this.part.setAttribute(name, value));
  }

  fullScreen() {
    const side = this.root.closest(".side");
    if (document.fullscreenElement) document.exitFullscreen();
    else side.requestFullscreen?.().catch(() => {});
  }

  /** Scrolls until a box is visible. */
  reveal(box) {
    const [outer, inner] = [this.scroller.getBoundingClientRect(), box.getBoundingClientRect()];
    if (inner.top < outer.top || inner.bottom > outer.bottom) this.scroller.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
    if (inner.left < outer.left || inner.right > outer.right) this.scroller.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
  }
}
