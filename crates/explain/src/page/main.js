// The page itself: its losses, and what concerns all of them.

const sides = [];
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

const settled = () => {
  sides.forEach((side, at) => side.restore(stateOf(at, sides.length)));
  act.settled = true;
};

/** Shows what the page is about, and starts its engine. */
function begin(data) {
  sides.push(...data.sides.map((side) => new Side(side, act)));
  document.getElementById("sides").append(...sides.map((side) => side.root));
  document.body.classList.toggle("versus", sides.length > 1);
  document.body.classList.toggle("embed", Boolean(data.embed) || readState().has("embed"));
  sides.forEach((side) => {
    side.controls?.fit();
    side.frame.resize();
  });
  [active] = sides;
  if (!act.canCompute) {
    settled();
    return;
  }
  Engine.from(engineText).then((engine) => {
    act.engine = engine;
    settled();
    sides.forEach((side) => side.started());
    document.body.dataset.engine = "ready";
    performance.mark("ready");
  }, (error) => sides.forEach((side) => side.controls?.refuse(new Error(`This browser does not start the engine: ${error.message}`))));
}
addEventListener("hashchange", settled);

let active = null;
const activate = ({ target }) => { active = sides.find(({ root }) => root.contains(target)) ?? active; };
document.addEventListener("focusin", activate);
document.addEventListener("pointerdown", activate);
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input:not([type=checkbox]), select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || typing || event.target.closest?.("dialog")) return;
  if (active?.key(event)) event.preventDefault();
});
addEventListener("resize", () => sides.forEach((side) => side.frame.resize()));

// A page that carries an engine has its data compressed beside it.
const packed = document.getElementById("data");
if (packed.type === "application/json") begin(JSON.parse(packed.textContent));
else unpacked(packed.textContent, "deflate").then((bytes) => begin(JSON.parse(new TextDecoder().decode(bytes))));
