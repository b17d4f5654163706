// A picture, a page or a frame of a film, enlarged; a rectangle drawn on it becomes an example to search by.
if (!window.omnia.enlarge) {
  const SMALLEST = 12;  // pixels of a rectangle that is meant as one

  const rectangle = (from, to, box) => {
    const clamp = (value, most) => Math.min(Math.max(value, 0), most);
    const xs = [from.x, to.x].map((x) => clamp(x - box.left, box.width)).sort((a, b) => a - b);
    const ys = [from.y, to.y].map((y) => clamp(y - box.top, box.height)).sort((a, b) => a - b);
    return { left: xs[0], top: ys[0], width: xs[1] - xs[0], height: ys[1] - ys[0] };
  };

  const cutOut = (image, part, name) => {
    const scale = image.naturalWidth / image.clientWidth;
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(part.width * scale));
    canvas.height = Math.max(1, Math.round(part.height * scale));
    canvas.getContext("2d").drawImage(image, part.left * scale, part.top * scale, canvas.width, canvas.height,
      0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => window.omnia.askBy(new File([blob], name, { type: "image/png" })), "image/png");
  };

  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

  // Args: opener, what was clicked to come here.
  window.omnia.enlarge = (source, name, opener) => {
    const dialog = make("dialog", { className: "om-lightbox", ariaLabel: name });
    const sheet = make("div", { className: "om-sheet" });
    const image = make("img", { alt: name, draggable: false });
    const frame = make("div", { className: "om-part" });
    const search = make("button", { textContent: "More like this part" });
    const shut = make("button", { className: "om-shut", textContent: "×", ariaLabel: "Close" });
    const hint = make("p", { textContent: "Draw a rectangle to search by a part of it" });
    const small = make("img", { src: source.replace("side=2048", "side=640") });
    small.onload = () => {  // in its place until the large one is there
      if (image.complete) return;
      sheet.style.setProperty("--shape", small.naturalWidth / small.naturalHeight);
      sheet.style.backgroundImage = `url("${small.src}")`;
    };
    image.onload = () => sheet.removeAttribute("style");
    image.onerror = () => { sheet.removeAttribute("style"); sheet.classList.add("om-missing"); };
    image.src = source;
    const choose = (chosen) => {
      part = chosen;
      frame.hidden = search.hidden = !part;
      hint.hidden = Boolean(part);
      for (const side of part ? ["left", "top", "width", "height"] : []) frame.style[side] = `${part[side]}px`;
    };
    sheet.append(image, frame);
    dialog.append(sheet, hint, search, shut);
    let from = null, part = null;
    dialog.addEventListener("pointerdown", (event) => {
      if (event.target.matches("button")) return;
      from = { x: event.clientX, y: event.clientY };
      choose(null);
      event.preventDefault();
    });
    dialog.addEventListener("pointermove", (event) => {
      if (!from) return;
      const now = rectangle(from, { x: event.clientX, y: event.clientY }, image.getBoundingClientRect());
      if (now.width < SMALLEST || now.height < SMALLEST) return;
      choose(now);
    });
    dialog.addEventListener("pointercancel", () => { from = null; });
    dialog.addEventListener("pointerup", (event) => {
      const clicked = from && !part;
      from = null;
      if (clicked) dialog.close();
    });
    search.addEventListener("click", () => {
      cutOut(image, part, `part of ${name}.png`);
      dialog.close();
    });
    shut.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    dialog.addEventListener("keydown", ({ key }) => {
      const way = { ArrowLeft: -1, ArrowRight: 1 }[key];
      const openers = window.omnia.cards().map((card) => card.querySelector("[data-full]")).filter(Boolean);
      const at = openers.indexOf(opener);
      const next = way && at >= 0 && openers[at + way];
      if (!next) return;
      dialog.close();
      next.focus();
      next.click();
    });
    choose(null);
    document.body.append(dialog);
    dialog.showModal();
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-full], [data-frame]");
    if (!button) return;
    const name = button.closest(".om-card")?.querySelector(".om-name").textContent ?? "picture";
    if (button.dataset.full !== undefined) return window.omnia.enlarge(button.dataset.full, name, button);
    const player = button.parentElement.querySelector("video");
    if (player.readyState < 2) return window.omnia.enlarge(player.poster.replace("side=640", "side=2048"), name);
    player.pause();
    const canvas = Object.assign(document.createElement("canvas"), {
      width: player.videoWidth, height: player.videoHeight,
    });
    canvas.getContext("2d").drawImage(player, 0, 0);
    window.omnia.enlarge(canvas.toDataURL("image/jpeg", 0.92), name);
  });
}
