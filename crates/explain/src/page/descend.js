// Gradient descent on the inputs: step by step, as a film.

/** The bar that descends. `act.ask(request)` asks the engine, `act.go(inputs)` shows other inputs. */
class Descent {
  constructor(live, act) {
    this.act = act;
    this.timer = null;
    this.optimizer = html("select", { "aria-label": "optimizer" }, live.optimizers.map((name) => html("option", {}, name)));
    this.rate = html("input", { type: "text", inputmode: "decimal", value: "0.5", "aria-label": "rate" });
    const moving = live.inputs.filter(({ moves }) => moves).map(({ name }, at) => {
      const box = html("input", { type: "checkbox", value: name, "data-moves": name });
      box.checked = at === 0;
      return html("label", {}, box, name);
    });
    this.moving = html("span", { class: "moving" }, "moves ", moving);
    this.runner = button("Descend", "take steps of gradient descent", () => (this.timer ? this.stop() : this.start(STEPS)), { class: "descend" });
    this.said = html("p", { class: "hint", role: "status" });
    this.course = html("div", {});
    this.root = html("section", { class: "descent", "aria-label": "gradient descent" }, html("div", { class: "tools" }, html("h2", {}, "Descend"), this.optimizer,
      html("label", {}, "rate ", this.rate), this.runner, button("1 step", "take one step", () => this.start(1), { class: "one" })), this.moving, this.said, this.course);
  }

  start(steps) {
    this.stop();
    const moves = [...this.moving.querySelectorAll("input:checked")].map(({ value }) => value);
    try {
      const found = this.act.ask({ optimizer: this.optimizer.value, rate: exactly(typed(this.rate.value)), steps, moves });
      this.losses = found.losses.map(Number);
      this.play(found, 1);
    } catch (error) {
      this.said.textContent = error.message;
      this.said.classList.add("refused");
    }
  }

  /** Shows step after step, each as long as the reader needs to see that it moves. */
  play(found, at) {
    const { losses, inputs, ended, kept } = found;
    const last = losses.length - 1;
    const step = Math.min(at, last);
    this.act.go(inputs[step], inputs.slice(0, step + 1), step < last);
    this.said.textContent = [`step ${step}: loss ${number(losses[0])} → ${number(losses[step])}`, ...kept].join("; ");
    this.course.replaceChildren(course(this.losses, step));
    if (step < last) {
      this.runner.textContent = "Stop";
      this.timer = setTimeout(() => this.play(found, step + 1), 40);
      return;
    }
    this.stop();
    if (ended) this.said.textContent = ended;
    this.said.classList.toggle("refused", Boolean(ended));
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = null;
    this.runner.textContent = "Descend";
    this.said.classList.remove("refused");
  }
}

/** How many steps a press of the button takes. */
const STEPS = 100;

/** The loss over the steps. */
function course(losses, step) {
  const finite = losses.filter(Number.isFinite);
  if (finite.length < 2) return html("span", {});
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const [width, height] = [380, 70];
  const x = (at) => 4 + (at / (losses.length - 1)) * (width - 8);
  const y = (loss) => 8 + ((high - loss) / Math.max(high - low, 1e-300)) * (height - 16);
  const points = losses.flatMap((loss, at) => (Number.isFinite(loss) ? [`${x(at).toFixed(1)} ${y(loss).toFixed(1)}`] : []));
  return drawable(svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `the loss over ${counted(losses.length - 1, "step")}, from ${number(losses[0])} to ${number(losses.at(-1))}` },
    svg("path", { class: "curve", d: `M${points.join("L")}` }),
    Number.isFinite(losses[step]) && svg("circle", { cx: x(step), cy: y(losses[step]), r: 4.5 })), "the course");
}
