// The page without a mouse: / asks, arrows walk over the cards, enter opens, space plays, x marks, m asks for more like
// what is marked or looked at. What is marked can be copied together. And without eyes: what was found is spoken.
if (!window.omnia.marked) {
  const marked = window.omnia.marked = new Map();  // segment → path
  const { cards } = window.omnia;

  const bar = Object.assign(document.createElement("div"), { className: "om-marked", hidden: true });
  const count = document.createElement("b");
  const button = (label, act) => {
    const made = Object.assign(document.createElement("button"), { textContent: label });
    made.addEventListener("click", () => act(made));
    return made;
  };
  const clear = () => { marked.clear(); show(); };
  bar.append(
    count,
    button("Copy paths", (made) => window.omnia.copy([...marked.values()].join("\n"), made)),
    button("More like these", () => { const segments = [...marked.keys()]; clear(); window.omnia.like(segments); }),
    button("Clear", clear),
  );
  const spoken = Object.assign(document.createElement("div"), { className: "om-spoken", role: "status" });
  document.body.append(bar, spoken);

  const show = () => {
    bar.hidden = !marked.size;
    count.textContent = `${marked.size} marked`;
    for (const card of document.querySelectorAll(".om-card")) {
      const is = marked.has(card.dataset.segment);
      card.classList.toggle("om-is-marked", is);
      card.querySelector(".om-pick")?.setAttribute("aria-pressed", is);
    }
  };
  const mark = (card) => {
    const { segment, path } = card.dataset;
    if (!marked.delete(segment)) marked.set(segment, path);
    show();
  };
  document.addEventListener("click", (event) => {
    const pick = event.target.closest(".om-pick");
    if (pick) mark(pick.closest(".om-card"));
  });
  // What a screen reader is to say stands where it lasts: what is drawn anew is not heard. Errors say themselves.
  const TOLD = ".om-took, [data-testid=stAlertContainer][role=status] [data-testid=stMarkdownContainer]";
  const tell = () => {
    const told = [...document.querySelectorAll(TOLD)].map((one) => one.textContent).join(" ");
    if (told !== spoken.textContent) spoken.textContent = told;
  };
  // Streamlit's own words look for the fault on the internet; the style sheet puts ours in their place.
  const DOWN = "Omnia's server is not running. Start it again; this page goes on by itself.";
  const explain = () => {
    const said = document.querySelector("[role=dialog] h2 + div");
    if (/Streamlit (server is not responding|still running)/.test(said?.textContent)) said.dataset.instead = DOWN;
  };
  let waiting = false;
  new MutationObserver(() => {  // cards that are drawn anew keep their marks
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      if (marked.size) show();
      tell();
      explain();
    });
  }).observe(document.body, { childList: true, subtree: true });

  // The nearest card whose middle lies in a direction.
  const next = (from, way) => {
    const middle = (card) => {
      const box = card.getBoundingClientRect();
      return [box.left + box.width / 2, box.top + box.height / 2];
    };
    const [x, y] = middle(from);
    let best = null, least = Infinity;
    for (const card of cards()) {
      const [dx, dy] = middle(card).map((value, side) => value - [x, y][side]);
      const [ahead, aside] = way[0] ? [dx * way[0], Math.abs(dy)] : [dy * way[1], Math.abs(dx)];
      if (ahead > 1 && ahead + 3 * aside < least) [best, least] = [card, ahead + 3 * aside];
    }
    return best;
  };

  // What a popover holds comes after all cards: who opens it by a key goes into it, once it is drawn.
  const INSIDE = ["input", "button", "a[href]", "[tabindex='0']"]
    .map((one) => `[data-testid=stPopoverBody] ${one}:not(:disabled)`).join();
  const enter = (opener, patience = 50) => {
    const inside = document.querySelector(INSIDE);
    if (inside) inside.focus();
    else if (patience && document.activeElement === opener) setTimeout(() => enter(opener, patience - 1), 100);
  };
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-testid=stPopoverButton]");
    if (opener?.ariaExpanded === "false" && !event.detail) setTimeout(() => enter(opener), 100);
  }, true);

  const isStill = matchMedia("(prefers-reduced-motion: reduce)");
  const toBox = () => {
    const box = document.querySelector(".st-key-q input");
    box?.focus();
    box?.select();
    return true;
  };
  const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.closest?.("input, textarea, select, [contenteditable], video, audio, [role=slider]");
    if (event.key === "Escape" && typing) return event.target.blur();
    if (typing && !(event.key === "ArrowDown" && event.target.closest(".st-key-q"))) return;
    const card = document.activeElement?.closest?.(".om-card");
    const done = act(event, card);
    if (done) event.preventDefault();
  });

  const act = ({ key, target }, card) => {
    if (key === "/") {
      return toBox();
    }
    if (WAYS[key]) {
      const to = card ? next(card, WAYS[key]) : key === "ArrowUp" ? null : cards()[0];
      if (card && !to && key === "ArrowUp") return toBox();
      to?.focus();
      to?.scrollIntoView({ block: "nearest", behavior: isStill.matches ? "auto" : "smooth" });
      return Boolean(to);
    }
    if (key === "m" && marked.size) {
      window.omnia.like([...marked.keys()]);
      clear();
      return true;
    }
    if (!card || (target !== card && (key === "Enter" || key === " "))) return false;
    if (key === "x") mark(card);
    else if (key === "m") window.omnia.like([card.dataset.segment]);
    else if (key === " ") {
      const player = card.querySelector("video, audio");
      if (!player) return true;  // or the page would scroll
      if (player.paused) player.play().catch(() => {}); else player.pause();
    } else if (key === "Enter") (card.querySelector(".om-zoom") ?? card.querySelector(".om-open")).click();
    else return false;
    return true;
  };
}
