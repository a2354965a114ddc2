// The page itself: its losses, and what concerns all of them.

const data = JSON.parse(document.getElementById("data").textContent);
const engineText = document.getElementById("engine").textContent;
let remembering = null;

/** What a loss asks of the page. */
const act = {
  canCompute: engineText !== "",
  engine: null,
  settled: false,
  /** Losses side by side are compared on the same numbers: a change of one is one of all. */
  share(from, inputs) {
    sides.filter((side) => side !== from && side.changes).forEach((side) => side.follow(inputs));
  },
  /** Writes the state behind `#`, soon: dragging a number is many changes. */
  touched() {
    clearTimeout(remembering);
    // Not before the link that led here was read.
    if (act.settled) remembering = setTimeout(act.remember, 250);
  },
  remember() {
    clearTimeout(remembering);
    history.replaceState(null, "", `#${stateText(sides)}`);
  },
};

const sides = data.sides.map((side) => new Side(side, act));
document.getElementById("sides").append(...sides.map((side) => side.root));
document.body.classList.toggle("versus", sides.length > 1);
document.body.classList.toggle("embed", Boolean(data.embed) || readState().has("embed"));
sides.forEach((side) => {
  side.controls?.fit();
  side.frame.resize();
});
const settled = () => {
  sides.forEach((side, at) => side.restore(stateOf(at)));
  act.settled = true;
};
if (!act.canCompute) settled();
else {
  Engine.from(engineText).then((engine) => {
    act.engine = engine;
    settled();
    sides.forEach((side) => side.started());
    document.body.dataset.engine = "ready";
    performance.mark("ready");
  }, (error) => sides.forEach((side) => side.controls?.refuse(new Error(`This browser does not start the engine: ${error.message}`))));
}
addEventListener("hashchange", settled);

let active = sides[0];
const activate = ({ target }) => { active = sides.find(({ root }) => root.contains(target)) ?? active; };
document.addEventListener("focusin", activate);
document.addEventListener("pointerdown", activate);
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input:not([type=checkbox]), select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || typing || event.target.closest?.("dialog")) return;
  if (active.key(event)) event.preventDefault();
});
addEventListener("resize", () => sides.forEach((side) => side.frame.resize()));

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
